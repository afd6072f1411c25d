//! Regions of IOVA space that no user may map, and devices that bring them along.

use std::fmt;

use data_model::Span;

/// Number of a device, unique among all domains it may be attached to.
pub type DeviceId = u32;

/// What a reserved region is for, in the kernel's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ResvKind {
    /// Memory that firmware needs mapped one to one.
    Direct,
    /// The same, but a user of the device may do without: it blocks no mapping.
    DirectRelaxable,
    /// Never reaches memory.
    Reserved,
    /// Writes there are interrupts, not translated.
    Msi,
    /// Doorbell pages are mapped there by the kernel.
    SwMsi,
}

impl ResvKind {
    /// Whether users must keep out.
    pub fn blocks_slots(self) -> bool {
        self != ResvKind::DirectRelaxable
    }

    /// Whether doorbell pages must keep out.
    pub fn blocks_pages(self) -> bool {
        self != ResvKind::SwMsi
    }
}

/// Who brought a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Owner {
    /// The domain's configuration; it never leaves.
    Host,
    /// A device; the region leaves with it.
    Device(DeviceId),
}

/// A reserved region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResvRegion {
    /// Where; regions of different kinds may overlap.
    pub span: Span,
    /// What for.
    pub kind: ResvKind,
    /// Whose.
    pub owner: Owner,
}

impl fmt::Display for ResvRegion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.span, self.kind)?;
        match self.owner {
            Owner::Host => Ok(()),
            Owner::Device(device) => write!(f, " of device {device}"),
        }
    }
}

/// A device as a domain sees it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Device {
    /// Its number.
    pub id: DeviceId,
    /// Its host group; members move together.
    pub group: u32,
    /// Last address that it can put on the bus.
    pub dma_mask: u64,
    /// What its IOMMU can address.
    pub aperture: Span,
    /// What it brings along.
    pub resv: Vec<(Span, ResvKind)>,
}

impl Device {
    /// A device of a group of its own that reaches all addresses and brings nothing along.
    pub fn new(id: DeviceId) -> Device {
        Device { id, group: id, dma_mask: u64::MAX, aperture: Span::ALL, resv: Vec::new() }
    }

    /// Its regions, with their owner.
    pub(super) fn regions(&self) -> impl Iterator<Item = ResvRegion> + '_ {
        self.resv.iter().map(|&(span, kind)| ResvRegion { span, kind, owner: Owner::Device(self.id) })
    }
}
