//! The keyboard controller, as far as guests use it without a keyboard: to reset the machine, and to find it idle.

use std::sync::Arc;

use data_model::Span;

use super::power::MachineControl;
use crate::bus::BusDevice;

/// Ports 0x60 (data) to 0x64 (status, command). 0x61, the speaker's port, is inside and reads as zero.
pub struct I8042 {
    machine: Arc<dyn MachineControl>,
    answer: Option<u8>,
    expects: bool,
    configuration: u8,
}

/// Status: the guest finds an answer at the data port.
const ANSWER_READY: u8 = 1;
/// Status: the self test has passed.
const SYSTEM: u8 = 4;

impl I8042 {
    /// First and last port.
    pub const SPAN: Span = match Span::new(0x60, 0x64) {
        Some(span) => span,
        None => Span::ALL,
    };

    /// The controller with nothing attached.
    pub fn new(machine: Arc<dyn MachineControl>) -> I8042 {
        I8042 { machine, answer: None, expects: false, configuration: 0 }
    }

    fn command(&mut self, command: u8) {
        self.expects = false;
        match command {
            0x20 => self.answer = Some(self.configuration),
            0x60 => self.expects = true,
            // Controller test passed; port tests: no keyboard, no mouse.
            0xaa => self.answer = Some(0x55),
            0xa9 | 0xab => self.answer = Some(1),
            0xfe => self.machine.reset(),
            _ => {}
        }
    }
}

impl BusDevice for I8042 {
    fn read(&mut self, offset: u64, data: &mut [u8]) {
        data.fill(0);
        let Some(byte) = data.first_mut() else { return };
        *byte = match offset {
            0 => self.answer.take().unwrap_or(0),
            4 => SYSTEM | if self.answer.is_some() { ANSWER_READY } else { 0 },
            _ => 0,
        };
    }

    fn write(&mut self, offset: u64, data: &[u8]) {
        match (offset, data.first()) {
            (4, Some(command)) => self.command(*command),
            (0, Some(value)) if std::mem::take(&mut self.expects) => self.configuration = *value,
            _ => {}
        }
    }
}
