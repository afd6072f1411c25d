//! Interrupt numbers: what the device tree promises and the devices must keep.
//!
//! Shared peripheral interrupts (SPI) are counted from 0 here, as KVM's routes and the device tree count them; the
//! controller's own number is [`SPI_BASE`] higher.

/// Controller number of SPI 0.
pub const SPI_BASE: u32 = 32;
/// SPI of the serial port; edge-triggered.
pub const UART_SPI: u32 = 0;
/// First of the eight SPIs that PCI lines share; level-triggered, active high.
pub const PCI_INTX_SPI: u32 = 8;
/// First SPI that a GICv2m frame turns messages into; edge-triggered.
pub const V2M_SPI: u32 = 96;
/// Number of messages a GICv2m frame takes.
pub const V2M_SPI_COUNT: u32 = 128;
/// Interrupts the controller must have: private, shared, and a multiple of 32.
pub const GIC_IRQS: u32 = SPI_BASE + V2M_SPI + V2M_SPI_COUNT;
/// Private interrupts (PPI) of the timers: secure, non-secure, virtual, hypervisor.
pub const TIMER_PPIS: [u32; 4] = [13, 14, 11, 10];

/// The SPI of `pin` (INTA is 0) of `device` on the root bus; devices behind a bridge come in through the bridge's pins.
pub const fn pci_intx_spi(device: u8, pin: u8) -> u32 {
    PCI_INTX_SPI + ((device as u32 + pin as u32) & 7)
}
