//! Fixed ports and interrupt numbers: what the tables promise and the devices must keep.

/// First port of the serial port COM1 (8 ports).
pub const COM1: u16 = 0x3f8;
/// Interrupt of COM1; edge-triggered, active high, as on every PC.
pub const COM1_GSI: u32 = 4;
/// Data port of the keyboard controller, kept only for its reset command.
pub const I8042_DATA: u16 = 0x60;
/// Command and status port of the keyboard controller.
pub const I8042_COMMAND: u16 = 0x64;
/// Power management event block: 2 bytes of status, then 2 bytes of enable.
pub const PM1A_EVENT: u16 = 0x600;
/// Length of the event block in bytes.
pub const PM1A_EVENT_LEN: u8 = 4;
/// Power management control register. There is no way out of ACPI mode (the tables give no SMI command port), so bit 0
/// ([`SCI_EN`]) must always read as 1.
pub const PM1A_CONTROL: u16 = 0x604;
/// Length of the control register in bytes.
pub const PM1A_CONTROL_LEN: u8 = 2;
/// Bit of [`PM1A_CONTROL`] that says that the machine is in ACPI mode.
pub const SCI_EN: u16 = 1;
/// Power button pressed: bit of the status half of [`PM1A_EVENT`], and its enable bit in the other half.
pub const POWER_BUTTON: u16 = 1 << 8;
/// Bit of [`PM1A_CONTROL`] that, when written as 1, puts the machine to the sleep whose type is in bits 10 to 12.
pub const SLP_EN: u16 = 1 << 13;
/// Where the sleep type starts in [`PM1A_CONTROL`].
pub const SLP_TYP_SHIFT: u32 = 10;
/// The sleep type that means power off.
pub const S5_SLEEP_TYPE: u8 = 5;
/// Register that resets the machine.
pub const RESET: u16 = 0xcf9;
/// What is written to [`RESET`].
pub const RESET_VALUE: u8 = 0x0e;
/// PCI configuration address (4 bytes).
pub const PCI_CONFIG_ADDRESS: u16 = 0xcf8;
/// PCI configuration data (4 bytes).
pub const PCI_CONFIG_DATA: u16 = 0xcfc;
/// First port of the window for I/O BARs.
pub const PCI_IO_FIRST: u16 = 0x1000;
/// Last port of that window.
pub const PCI_IO_LAST: u16 = 0xffff;
/// Interrupt of ACPI events; level-triggered, active high.
pub const SCI_GSI: u32 = 9;
/// First of the eight interrupts that PCI lines share.
pub const PCI_INTX_GSI: u32 = 16;

/// The interrupt of `pin` (INTA is 0) of `device` on the root bus; devices behind a bridge come in through the bridge's pins.
pub const fn pci_intx_gsi(device: u8, pin: u8) -> u32 {
    PCI_INTX_GSI + ((device as u32 + pin as u32) & 7)
}
