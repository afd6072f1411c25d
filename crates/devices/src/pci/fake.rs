//! A function for tests: BARs of any kind, and a record of what reached it.

use std::sync::Arc;

use sync::Mutex;

use super::{BarKind, BarWindow, ConfigSpace, Identity, PciFunction};

/// A device with BARs that read as their index, offset in the low byte of each byte read.
pub struct FakeFunction {
    pub config: ConfigSpace,
    pub written: Vec<(u8, u64, Vec<u8>)>,
    pub resets: u32,
}

impl FakeFunction {
    pub fn new(bars: &[(u8, BarKind, u64)]) -> Arc<Mutex<FakeFunction>> {
        let identity = Identity { vendor: 0x1234, device: 0x5678, class: 0xff_0000, ..Identity::default() };
        let mut config = ConfigSpace::device(&identity);
        for (bar, kind, size) in bars {
            config.add_bar(*bar, *kind, *size).unwrap();
        }
        config.set_u8(super::regs::INTERRUPT_PIN, 1);
        config.seal();
        Arc::new(Mutex::new(FakeFunction { config, written: Vec::new(), resets: 0 }))
    }
}

impl PciFunction for FakeFunction {
    fn config_read(&mut self, offset: u16, data: &mut [u8]) {
        assert!(matches!(data.len(), 1 | 2 | 4) && offset % 4 + data.len() as u16 <= 4);
        self.config.read(offset, data);
    }

    fn config_write(&mut self, offset: u16, data: &[u8]) {
        assert!(matches!(data.len(), 1 | 2 | 4) && offset % 4 + data.len() as u16 <= 4);
        self.config.write(offset, data);
    }

    fn windows(&self) -> Vec<BarWindow> {
        self.config.windows()
    }

    fn bar_read(&mut self, bar: u8, offset: u64, data: &mut [u8]) {
        data.fill(bar << 4 | offset as u8 & 0xf);
    }

    fn bar_write(&mut self, bar: u8, offset: u64, data: &[u8]) {
        self.written.push((bar, offset, data.to_vec()));
    }

    fn reset(&mut self) {
        self.resets += 1;
        self.config.reset();
    }
}
