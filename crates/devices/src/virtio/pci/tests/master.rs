//! Bus mastering: what a function without it does not do.

use std::io::Write;
use std::os::unix::net::UnixStream;

use super::*;
use crate::virtio::{Console, ConsoleEnds};

const MEMORY: u16 = regs::COMMAND_MEMORY;
const MASTER: u16 = regs::COMMAND_MEMORY | regs::COMMAND_MASTER;
/// Of a device that was stopped: all but DRIVER_OK, and that it needs a reset.
const HALTED: u64 = 0x4b;

/// A fake device with this virtio id.
fn machine_with_id(id: u16) -> Machine {
    let seen = Arc::new(Mutex::new(Seen::default()));
    machine_with(Box::new(FakeDevice { id, ..FakeDevice::new(seen.clone()) }), seen)
}

#[test]
fn a_device_that_loses_bus_mastering_stops_until_its_driver_resets_it() {
    // What is written, and as how many bytes: the register is often written with the status behind it.
    for len in [1, 2, 4] {
        let mut machine = machine();
        machine.start();
        let resets = machine.seen.lock().resets;
        machine.pci.config_write(regs::COMMAND, &u32::from(MEMORY).to_le_bytes()[..len]);
        assert_eq!((machine.status(), machine.seen.lock().resets), (HALTED, resets + 1), "{len} bytes");
        assert_eq!(machine.doorbells.addresses(), [0u64; 0]);
        machine.command(MEMORY);
        machine.command(MASTER);
        machine.put(20, 0xf, 1);
        assert_eq!((machine.status(), machine.seen.lock().activations.len()), (HALTED, 1), "not by itself");
        machine.start();
        assert_eq!((machine.status(), machine.seen.lock().activations.len()), (0xf, 2));
        assert_eq!(machine.doorbells.addresses().len(), 2);
    }
}

#[test]
fn other_bits_of_the_command_register_stop_nothing() {
    let mut machine = machine();
    machine.start();
    let resets = machine.seen.lock().resets;
    for bits in [regs::COMMAND_MASTER, MASTER | regs::COMMAND_INTX_OFF, MASTER] {
        machine.command(bits);
    }
    assert_eq!((machine.status(), machine.seen.lock().resets), (0xf, resets));
}

#[test]
fn a_driver_may_switch_bus_mastering_on_last() {
    let mut machine = machine();
    machine.command(MEMORY);
    machine.start();
    machine.put(layout::NOTIFY, 0, 2);
    machine.command(MEMORY);
    assert_eq!((machine.status(), machine.seen.lock().activations.len()), (0xf, 0));
    assert_eq!(machine.doorbells.addresses(), [0u64; 0]);
    machine.command(MASTER);
    assert_eq!((machine.status(), machine.seen.lock().activations.len()), (0xf, 1));
    assert_eq!(machine.doorbells.addresses().len(), 2);
    machine.command(MASTER);
    assert_eq!(machine.seen.lock().activations.len(), 1, "once");
}

#[test]
fn a_reset_ends_the_wait_for_bus_mastering() {
    let resets: [fn(&mut Machine); 2] =
        [|machine| machine.put(20, 0, 1), |machine| PciFunction::reset(&mut machine.pci)];
    for reset in resets {
        let mut machine = machine();
        machine.command(MEMORY);
        machine.start();
        reset(&mut machine);
        machine.command(MASTER);
        assert_eq!((machine.status(), machine.seen.lock().activations.len()), (0, 0));
    }
}

#[test]
fn the_iommu_goes_on_without_bus_mastering() {
    let mut machine = machine_with_id(virtio_iommu_spec::DEVICE_ID);
    machine.command(MEMORY);
    machine.start();
    assert_eq!((machine.status(), machine.seen.lock().activations.len()), (0xf, 1));
    let resets = machine.seen.lock().resets;
    machine.command(MASTER);
    machine.command(MEMORY);
    assert_eq!((machine.status(), machine.seen.lock().resets), (0xf, resets), "and keeps its domains");
    assert_eq!(machine.doorbells.addresses().len(), 2);
}

#[test]
fn messages_wait_for_bus_mastering() {
    let mut machine = machine_with_id(virtio_iommu_spec::DEVICE_ID);
    machine.start();
    machine.set_vector(0, 0x40);
    machine.enable_msix();
    machine.put(16, 0, 2);
    let (interrupt, vector) = (machine.interrupt(), machine.vector(0x40));
    machine.command(MEMORY);
    interrupt.config_changed();
    // Neither a write of the table nor one of message control lets it out.
    machine.set_vector(0, 0x40);
    machine.enable_msix();
    assert_eq!((vector.take(), machine.get(layout::MSIX_PENDING, 8)), (0, 1));
    machine.command(MASTER);
    assert_eq!((vector.take(), machine.get(layout::MSIX_PENDING, 8)), (1, 0));
    interrupt.config_changed();
    assert_eq!(vector.take(), 1);
}

#[test]
fn what_comes_for_a_guest_without_bus_mastering_changes_none_of_its_memory() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let ends = ConsoleEnds { input: Some(ours.try_clone().unwrap().into()), output: ours.into() };
    let mut machine = machine_with(Box::new(Console::new(ends)), Arc::default());
    machine.negotiate(V1);
    let mut queue = DriverQueue::new(machine.mem.clone(), 0x1000, 0x4_0000, 64, false);
    machine.set_queue(0, 64, queue.layout);
    queue.chain().writable(8).send();
    queue.chain().writable(8).send();
    machine.put(20, 0xf, 1);
    theirs.write_all(b"before").unwrap();
    assert!(queue.wait(5 * SECOND).is_some());
    machine.command(MEMORY);
    theirs.write_all(b"after").unwrap();
    machine.put(layout::NOTIFY, 0, 2);
    machine.command(MASTER);
    assert_eq!(queue.wait(SECOND / 10), None);
}
