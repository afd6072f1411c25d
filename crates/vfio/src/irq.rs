//! Interrupts of a PCI device, and the bytes of `VFIO_DEVICE_SET_IRQS`.

use std::os::fd::{AsRawFd, RawFd};

use base::EventFd;
use vfio_bindings::bindings::vfio::{
    VFIO_IRQ_INFO_EVENTFD, VFIO_IRQ_INFO_NORESIZE, VFIO_IRQ_SET_ACTION_MASK, VFIO_IRQ_SET_ACTION_TRIGGER,
    VFIO_IRQ_SET_ACTION_UNMASK, VFIO_IRQ_SET_DATA_EVENTFD, VFIO_IRQ_SET_DATA_NONE, VFIO_PCI_ERR_IRQ_INDEX,
    VFIO_PCI_INTX_IRQ_INDEX, VFIO_PCI_MSI_IRQ_INDEX, VFIO_PCI_MSIX_IRQ_INDEX, VFIO_PCI_REQ_IRQ_INDEX,
};

/// A kind of interrupt. Of the device's own three the kernel lets one be enabled at a time; the other two are the kernel's
/// word about the device, of one vector each, and stand beside them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PciIrq {
    /// The level-triggered pin.
    Intx,
    /// Message-signalled interrupts.
    Msi,
    /// MSI-X.
    Msix,
    /// An error of the device that cannot be corrected; PCI Express devices only.
    Error,
    /// The host wants the device back, and waits for it.
    Request,
}

impl PciIrq {
    /// All of them, in the kernel's order.
    pub const ALL: [PciIrq; 5] = [PciIrq::Intx, PciIrq::Msi, PciIrq::Msix, PciIrq::Error, PciIrq::Request];

    /// The kernel's index.
    pub fn index(self) -> u32 {
        match self {
            PciIrq::Intx => VFIO_PCI_INTX_IRQ_INDEX,
            PciIrq::Msi => VFIO_PCI_MSI_IRQ_INDEX,
            PciIrq::Msix => VFIO_PCI_MSIX_IRQ_INDEX,
            PciIrq::Error => VFIO_PCI_ERR_IRQ_INDEX,
            PciIrq::Request => VFIO_PCI_REQ_IRQ_INDEX,
        }
    }
}

/// What a device has of one kind of interrupt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IrqInfo {
    /// Vectors; 0 when the device has none of this kind.
    pub count: u32,
    /// They can be signalled through events.
    pub eventfd: bool,
    /// Vectors can be added one by one while the kind is enabled; else the whole set must be enabled anew.
    pub resizable: bool,
}

impl IrqInfo {
    /// From the kernel's flags and count.
    pub(crate) fn new(flags: u32, count: u32) -> IrqInfo {
        let eventfd = flags & VFIO_IRQ_INFO_EVENTFD != 0;
        IrqInfo { count, eventfd, resizable: flags & VFIO_IRQ_INFO_NORESIZE == 0 }
    }
}

/// What to do with the interrupts of one kind.
#[derive(Clone, Copy)]
pub enum IrqAction<'a> {
    /// From vector `start` on, signal these events; `None` leaves a vector without one (its interrupts wait, masked).
    /// Enables the kind when it was off.
    Trigger {
        /// First vector.
        start: u32,
        /// An event, or none, for each vector.
        events: &'a [Option<&'a EventFd>],
    },
    /// Turns the kind off and forgets all events.
    Disable,
    /// INTx: holds the interrupt back.
    Mask,
    /// INTx: lets the interrupt through again.
    Unmask,
    /// INTx: a write to the event lets the interrupt through again; `None` undoes it.
    UnmaskOn(Option<&'a EventFd>),
}

/// Words of the header of `struct vfio_irq_set`.
const HEADER: usize = 5;

/// The argument of `VFIO_DEVICE_SET_IRQS`, as 32-bit words.
pub(crate) fn encode(irq: PciIrq, action: IrqAction<'_>) -> Vec<u32> {
    let (flags, start, count, events) = match action {
        IrqAction::Trigger { start, events } => {
            let flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
            (flags, start, events.len() as u32, events)
        }
        IrqAction::Disable => (VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER, 0, 0, [].as_slice()),
        IrqAction::Mask => (VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_MASK, 0, 1, [].as_slice()),
        IrqAction::Unmask => (VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_UNMASK, 0, 1, [].as_slice()),
        IrqAction::UnmaskOn(event) => {
            let words = [fd_word(event)];
            let flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_UNMASK;
            return assemble([flags, irq.index(), 0, 1], &words);
        }
    };
    let words: Vec<u32> = events.iter().map(|event| fd_word(*event)).collect();
    assemble([flags, irq.index(), start, count], &words)
}

fn assemble(header: [u32; HEADER - 1], data: &[u32]) -> Vec<u32> {
    let mut words = Vec::with_capacity(HEADER + data.len());
    words.push(((HEADER + data.len()) * size_of::<u32>()) as u32);
    words.extend(header);
    words.extend(data);
    words
}

/// A descriptor as the kernel reads it: -1 stands for none.
fn fd_word(event: Option<&EventFd>) -> u32 {
    let fd: RawFd = event.map_or(-1, |event| event.as_raw_fd());
    fd.cast_unsigned()
}

#[cfg(test)]
mod tests;
