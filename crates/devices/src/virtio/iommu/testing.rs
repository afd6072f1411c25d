//! The device without queue and thread, for suites that send more requests than a ring can carry.

use iommu_domain::Iommu;
use virtio_iommu_spec::{Fault, Features, Request, Status, decode};

use super::Viommu;
use super::worker::serve_once;
use crate::virtio::Activation;

impl Viommu {
    /// Takes `features` as negotiated, without a driver.
    pub fn negotiate(&self, features: u64) {
        self.core.lock().features = features;
    }

    /// Carries out one request as the worker does, short of guest memory; `None` when it would come back unwritten.
    pub fn serve(&self, bytes: &[u8]) -> Option<Status> {
        let request = decode(bytes).ok()?;
        let mut core = self.core.lock();
        if matches!(request, Request::Probe { .. }) && core.features & Features::PROBE == 0 {
            return None;
        }
        Some(core.handle(&request).map_or_else(|status| status, |_| Status::Ok))
    }

    /// Serves the rings once as the worker does, on this thread.
    #[inline(never)] // a name for whoever counts instructions
    pub fn serve_rings(&self, activation: Activation) -> std::io::Result<()> {
        self.negotiate(activation.features);
        serve_once(self.core.clone(), self.sink.clone(), activation)
    }

    /// Takes the faults that wait for a driver.
    pub fn take_faults(&self) -> Vec<Fault> {
        self.sink.take().0.into()
    }

    /// Looks at the IOMMU behind the device.
    pub fn with_iommu<T>(&self, look: impl FnOnce(&Iommu) -> T) -> T {
        look(&self.core.lock().iommu)
    }
}
