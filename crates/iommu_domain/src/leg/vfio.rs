//! The kernel behind a [`Type1Leg`](super::Type1Leg): a VFIO container and the devices of its group.

use std::io;
use std::sync::Arc;

use base::HostSlice;
use data_model::Span;
use vfio::{AssignedDevice, Container, DmaPerm};

use super::DmaHost;
use crate::Perm;

/// A container of its own for one host group, with the group's assigned devices.
pub struct VfioHost {
    container: Arc<Container>,
    devices: Vec<Arc<dyn AssignedDevice>>,
}

impl VfioHost {
    /// The calls of `container`; `devices` are those that it serves.
    pub fn new(container: Arc<Container>, devices: Vec<Arc<dyn AssignedDevice>>) -> VfioHost {
        VfioHost { container, devices }
    }
}

impl DmaHost for VfioHost {
    fn map(&self, iova: Span, memory: HostSlice<'_>, perm: Perm) -> io::Result<()> {
        self.container.map_memory(iova, memory, DmaPerm { read: perm.read, write: perm.write })
    }

    fn unmap(&self, iova: Span) -> io::Result<u64> {
        self.container.unmap_dma(iova)
    }

    fn unmap_all(&self) -> io::Result<u64> {
        self.container.unmap_all()
    }

    fn available(&self) -> Option<u32> {
        self.container.info().ok()?.dma_avail
    }

    fn reset_devices(&self) -> io::Result<()> {
        // Every device gets its reset, also when an earlier one fails.
        let outcomes: Vec<_> = self.devices.iter().map(|device| device.reset()).collect();
        outcomes.into_iter().collect()
    }
}
