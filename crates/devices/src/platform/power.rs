//! x86 power and reset: the ACPI PM1a block, and the reset register at port 0xcf9.

use std::sync::Arc;

use data_model::Span;

use crate::bus::BusDevice;

/// What a board device can ask of the machine. Returns at once; the machine acts when the vCPU has left the device.
pub trait MachineControl: Send + Sync {
    /// Switches the machine off.
    fn power_off(&self);

    /// Starts the machine anew.
    fn reset(&self);
}

/// Enable bit of a sleep request in PM1 control.
const SLEEP_ENABLE: u16 = 1 << 13;
/// SCI_EN in PM1 control: ACPI mode is on, always.
const SCI_ENABLE: u16 = 1;

/// The PM1a registers: status at 0, enable at 2, control at 4.
pub struct PowerBlock {
    machine: Arc<dyn MachineControl>,
    off_type: u8,
    enable: u16,
    control: u16,
}

impl PowerBlock {
    /// Ports of the block: event registers at 0x600, control at 0x604.
    pub const SPAN: Span = match Span::new(0x600, 0x605) {
        Some(span) => span,
        None => Span::ALL,
    };

    /// `off_type` is the SLP_TYP value that the DSDT's `\_S5` names, 0 to 7.
    pub fn new(machine: Arc<dyn MachineControl>, off_type: u8) -> PowerBlock {
        PowerBlock { machine, off_type: off_type & 7, enable: 0, control: 0 }
    }

    fn registers(&self) -> [u8; 6] {
        let [enable_low, enable_high] = self.enable.to_le_bytes();
        let [control_low, control_high] = (self.control | SCI_ENABLE).to_le_bytes();
        [0, 0, enable_low, enable_high, control_low, control_high]
    }
}

impl BusDevice for PowerBlock {
    fn read(&mut self, offset: u64, data: &mut [u8]) {
        let registers = self.registers();
        for (n, byte) in data.iter_mut().enumerate() {
            let at = usize::try_from(offset).unwrap_or(usize::MAX).saturating_add(n);
            *byte = registers.get(at).copied().unwrap_or(0xff);
        }
    }

    fn write(&mut self, offset: u64, data: &[u8]) {
        let mut registers = self.registers();
        for (n, byte) in data.iter().enumerate() {
            let at = usize::try_from(offset).unwrap_or(usize::MAX).saturating_add(n);
            if let Some(place) = registers.get_mut(at) {
                *place = *byte;
            }
        }
        let [_, _, enable_low, enable_high, control_low, control_high] = registers;
        self.enable = u16::from_le_bytes([enable_low, enable_high]);
        let control = u16::from_le_bytes([control_low, control_high]);
        // SLP_EN is write-only.
        self.control = control & !SLEEP_ENABLE;
        if control & SLEEP_ENABLE != 0 && (control >> 10) as u8 & 7 == self.off_type {
            self.machine.power_off();
        }
    }
}

/// Port 0xcf9: bit 2 going up resets, bit 1 chooses a hard reset.
pub struct ResetRegister {
    machine: Arc<dyn MachineControl>,
    value: u8,
}

impl ResetRegister {
    /// The register as it is after power-on.
    pub fn new(machine: Arc<dyn MachineControl>) -> ResetRegister {
        ResetRegister { machine, value: 0 }
    }

    /// What the guest reads.
    pub fn read(&self) -> u8 {
        self.value
    }

    /// The guest writes.
    pub fn write(&mut self, value: u8) {
        let rises = value & !self.value & 4 != 0;
        self.value = value & 0x0e;
        if rises {
            self.value = 0;
            self.machine.reset();
        }
    }
}

#[cfg(test)]
mod tests;
