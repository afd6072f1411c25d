//! The host bridge at 00:00.0.

use super::config::{ConfigSpace, Identity};
use super::function::{BarWindow, PciFunction};

/// The host bridge: a header and nothing else.
pub(super) struct HostBridge(ConfigSpace);

impl HostBridge {
    /// The bridge as it is after power-on.
    pub(super) fn new() -> HostBridge {
        let identity = Identity { vendor: 0x1b36, device: 0x0008, class: 0x06_0000, ..Identity::default() };
        let mut config = ConfigSpace::device(&identity);
        config.seal();
        HostBridge(config)
    }
}

impl PciFunction for HostBridge {
    fn config_read(&mut self, offset: u16, data: &mut [u8]) {
        self.0.read(offset, data);
    }

    fn config_write(&mut self, offset: u16, data: &[u8]) {
        self.0.write(offset, data);
    }

    fn windows(&self) -> Vec<BarWindow> {
        Vec::new()
    }

    fn bar_read(&mut self, _bar: u8, _offset: u64, data: &mut [u8]) {
        data.fill(0xff);
    }

    fn bar_write(&mut self, _bar: u8, _offset: u64, _data: &[u8]) {}

    fn reset(&mut self) {
        self.0.reset();
    }
}
