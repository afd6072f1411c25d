//! Registers of the PCI header, and ids of capabilities.

/// Vendor id, 16 bits.
pub const VENDOR: u16 = 0x00;
/// Device id, 16 bits.
pub const DEVICE: u16 = 0x02;
/// Command, 16 bits.
pub const COMMAND: u16 = 0x04;
/// Status, 16 bits.
pub const STATUS: u16 = 0x06;
/// Revision in the low byte, class above.
pub const REVISION: u16 = 0x08;
/// Header type, 8 bits; bit 7 says that the device has more functions.
pub const HEADER_TYPE: u16 = 0x0e;
/// First base address register.
pub const BAR0: u16 = 0x10;
/// Primary, secondary and subordinate bus number (bridge), 8 bits each.
pub const PRIMARY_BUS: u16 = 0x18;
/// I/O base and limit (bridge), 8 bits each.
pub const IO_BASE: u16 = 0x1c;
/// Memory base and limit (bridge), 16 bits each.
pub const MEMORY_BASE: u16 = 0x20;
/// Prefetchable memory base and limit (bridge), 16 bits each.
pub const PREFETCH_BASE: u16 = 0x24;
/// Upper halves of prefetchable base and limit (bridge), 32 bits each.
pub const PREFETCH_BASE_UPPER: u16 = 0x28;
/// Subsystem vendor (device).
pub const SUBSYSTEM_VENDOR: u16 = 0x2c;
/// Subsystem id (device).
pub const SUBSYSTEM_ID: u16 = 0x2e;
/// First capability.
pub const CAPABILITIES: u16 = 0x34;
/// Interrupt line: a note of the firmware to the system.
pub const INTERRUPT_LINE: u16 = 0x3c;
/// Interrupt pin: 0 none, 1 INTA to 4 INTD.
pub const INTERRUPT_PIN: u16 = 0x3d;
/// Bridge control, 16 bits.
pub const BRIDGE_CONTROL: u16 = 0x3e;

/// Ports are decoded.
pub const COMMAND_IO: u16 = 1;
/// Memory is decoded.
pub const COMMAND_MEMORY: u16 = 1 << 1;
/// The function may start transactions: DMA and MSI.
pub const COMMAND_MASTER: u16 = 1 << 2;
/// INTx is off.
pub const COMMAND_INTX_OFF: u16 = 1 << 10;
/// What a guest may change: I/O, memory, master, parity, SERR, INTx off.
pub const COMMAND_WRITABLE: u16 = 0x0547;
/// INTx is asserted.
pub const STATUS_INTX: u16 = 1 << 3;
/// There is a list of capabilities.
pub const STATUS_CAPABILITIES: u16 = 1 << 4;
/// Secondary bus reset, in bridge control.
pub const BRIDGE_RESET: u16 = 1 << 6;

/// Power management.
pub const CAP_PM: u8 = 0x01;
/// Vendor specific: virtio's structures.
pub const CAP_VENDOR: u8 = 0x09;
/// PCI Express.
pub const CAP_EXPRESS: u8 = 0x10;
/// MSI-X.
pub const CAP_MSIX: u8 = 0x11;
/// Access control services (extended).
pub const EXT_ACS: u16 = 0x0d;
