//! A device that takes its time to stop, and what its driver sees meanwhile.

use std::sync::mpsc::{Sender, channel};

use super::*;
use crate::virtio::testkit::until;

/// A running machine whose device stops when told so, or when the way to tell it is gone; no access waits for that.
fn slow() -> (Machine, Sender<()>) {
    let mut machine = machine();
    machine.start();
    let (open, gate) = channel();
    machine.seen.lock().gate = Some(gate);
    machine.pci.grace = Duration::ZERO;
    (machine, open)
}

/// A driver that waits for its reset starts the device.
fn again(machine: &mut Machine) {
    machine.pci.grace = 60 * SECOND;
    machine.start();
}

#[test]
fn the_status_is_0_once_the_device_has_stopped_and_nobody_waits_for_that() {
    let (mut machine, open) = slow();
    for _ in 0..2 {
        machine.put(20, 0, 1);
        assert_eq!((machine.status(), machine.doorbells.addresses().len()), (0x4f, 0));
    }
    // What comes before the reset is complete is lost, and disturbs nobody.
    machine.put(20, 1, 1);
    machine.put(16, 1, 2);
    machine.put(layout::DEVICE + 1, 0, 1);
    machine.put(layout::NOTIFY, 0, 2);
    machine.command(2);
    machine.command(6);
    assert_eq!((machine.get(layout::DEVICE, 8), machine.status()), (0, 0x4f));
    assert_eq!(machine.get(16, 2), 0xffff, "as before the reset");
    open.send(()).unwrap();
    assert!(until(5 * SECOND, || machine.status() == 0));
    assert_eq!(machine.get(layout::DEVICE, 8), u64::from_le_bytes(*b"config!!"));
    again(&mut machine);
    assert_eq!((machine.status(), machine.seen.lock().activations.len()), (0xf, 2));
}

#[test]
fn the_status_is_not_0_either_when_it_was() {
    let (mut machine, open) = slow();
    let gate = machine.seen.lock().gate.take();
    again(&mut machine);
    machine.put(20, 0, 1);
    assert_eq!(machine.status(), 0);
    machine.pci.grace = Duration::ZERO;
    machine.seen.lock().gate = gate;
    machine.put(20, 0, 1);
    assert_eq!(machine.status(), 0x40);
    open.send(()).unwrap();
    assert!(until(5 * SECOND, || machine.status() == 0));
}

#[test]
fn a_device_that_stops_soon_is_waited_for() {
    let (mut machine, open) = slow();
    machine.pci.grace = 5 * SECOND;
    let opener = std::thread::spawn(move || open.send(()).unwrap());
    machine.put(20, 0, 1);
    assert_eq!(machine.status(), 0);
    opener.join().unwrap();
}

#[test]
fn a_device_that_stops_for_want_of_bus_mastering_may_be_reset_meanwhile() {
    for reset in [false, true] {
        let (mut machine, open) = slow();
        machine.command(2);
        machine.command(6);
        assert_eq!((machine.status(), machine.doorbells.addresses().len()), (0x4b, 0));
        if reset {
            machine.put(20, 0, 1);
            assert_eq!(machine.status(), 0x4b);
        }
        open.send(()).unwrap();
        assert!(until(5 * SECOND, || machine.get(layout::DEVICE, 8) != 0), "it is back");
        assert_eq!(machine.status(), if reset { 0 } else { 0x4b });
        again(&mut machine);
        assert_eq!((machine.status(), machine.seen.lock().activations.len()), (0xf, 2));
    }
}

#[test]
fn a_reset_of_the_machine_waits_for_the_device() {
    let (mut machine, open) = slow();
    machine.put(20, 0, 1);
    let opener = std::thread::spawn(move || open.send(()).unwrap());
    PciFunction::reset(&mut machine.pci);
    assert_eq!((machine.status(), machine.seen.lock().system_resets), (0, 1));
    opener.join().unwrap();
    machine.command(6);
    again(&mut machine);
    assert_eq!((machine.status(), machine.seen.lock().activations.len()), (0xf, 2));
}

#[test]
fn the_end_of_the_function_waits_for_the_device() {
    let (mut machine, open) = slow();
    machine.put(20, 0, 1);
    let opener = std::thread::spawn(move || open.send(()).unwrap());
    let Machine { pci, seen, .. } = machine;
    drop(pci);
    assert_eq!(seen.lock().resets, 3, "it was back, and stopped for good");
    opener.join().unwrap();
}
