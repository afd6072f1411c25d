//! The words that reach the kernel.

use std::os::fd::AsRawFd;

use base::EventFd;

use super::{IrqAction, IrqInfo, PciIrq, encode};

const NONE: u32 = u32::MAX;

#[test]
fn each_action_becomes_the_kernels_structure() {
    let event = EventFd::new(0).unwrap();
    let fd = event.as_raw_fd() as u32;
    let some = [None, Some(&event)];
    let cases: [(PciIrq, IrqAction<'_>, Vec<u32>); 8] = [
        (PciIrq::Msix, IrqAction::Trigger { start: 3, events: &some }, vec![28, 0x24, 2, 3, 2, NONE, fd]),
        (PciIrq::Msi, IrqAction::Disable, vec![20, 0x21, 1, 0, 0]),
        (PciIrq::Intx, IrqAction::Mask, vec![20, 0x09, 0, 0, 1]),
        (PciIrq::Intx, IrqAction::Unmask, vec![20, 0x11, 0, 0, 1]),
        (PciIrq::Intx, IrqAction::UnmaskOn(Some(&event)), vec![24, 0x14, 0, 0, 1, fd]),
        (PciIrq::Intx, IrqAction::UnmaskOn(None), vec![24, 0x14, 0, 0, 1, NONE]),
        (PciIrq::Error, IrqAction::Trigger { start: 0, events: &some[1..] }, vec![24, 0x24, 3, 0, 1, fd]),
        (PciIrq::Request, IrqAction::Trigger { start: 0, events: &some[1..] }, vec![24, 0x24, 4, 0, 1, fd]),
    ];
    for (irq, action, words) in cases {
        assert_eq!(encode(irq, action), words);
    }
}

#[test]
fn the_kinds_are_in_the_kernels_order() {
    let indices: Vec<usize> = PciIrq::ALL.iter().map(|irq| irq.index() as usize).collect();
    assert_eq!(indices, (0..PciIrq::ALL.len()).collect::<Vec<_>>());
}

#[test]
fn the_flag_noresize_means_that_vectors_cannot_be_added() {
    assert_eq!(IrqInfo::new(9, 4), IrqInfo { count: 4, eventfd: true, resizable: false });
    assert_eq!(IrqInfo::new(1, 8), IrqInfo { count: 8, eventfd: true, resizable: true });
}
