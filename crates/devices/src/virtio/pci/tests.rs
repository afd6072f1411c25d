use std::sync::atomic::Ordering;

use sync::Mutex;

use self::machine::{BAR_AT, FakeDevice, Machine, RAM, Seen, V1, machine, machine_of, machine_with};
use super::*;
use crate::virtio::testkit::{Behind, DriverQueue, RingLayout, SECOND};
use crate::virtio::{F_EVENT_IDX, F_INDIRECT_DESC, Rng};

mod away;
mod fuzz;
mod machine;
mod master;

#[test]
fn the_capabilities_name_every_structure() {
    let mut machine = machine();
    let mut word = |at: u16, len: usize| {
        let mut raw = [0; 4];
        machine.pci.config_read(at, &mut raw[..len]);
        u32::from_le_bytes(raw)
    };
    assert_eq!((word(0, 2), word(2, 2), word(8, 4)), (0x1af4, 0x1042, 0x0180_0001));
    let (mut at, mut found) = (word(regs::CAPABILITIES, 1) as u16, Vec::new());
    while at != 0 {
        if word(at, 1) == u32::from(regs::CAP_VENDOR) {
            found.push((
                word(at + 2, 1),
                word(at + 3, 1),
                word(at + 4, 1),
                word(at + 8, 4),
                word(at + 12, 4),
            ));
        }
        at = word(at + 1, 1) as u16;
    }
    // Length, kind, BAR, offset, bytes.
    let expected =
        [(16, 1, 0, 0, 56), (20, 2, 0, 0x3000, 8), (16, 3, 0, 0x1000, 1), (16, 4, 0, 0x2000, 0x1000)];
    assert_eq!(found[..4], expected);
    assert_eq!((found.len(), found[4].0, found[4].1), (5, 20, 5));
}

#[test]
fn t2_features_are_accepted_or_refused_as_a_whole() {
    // Accepted features, and a write to a third word; whether FEATURES_OK stays.
    let cases = [
        (V1, 0, true),
        (V1 | 5 | F_EVENT_IDX, 0, true),
        (5, 0, false),
        (0, 0, false),
        (V1 | 2, 0, false),
        (V1 | 1 << 33, 0, false),
        (V1, 1, false),
    ];
    for (features, third, ok) in cases {
        let mut machine = machine();
        machine.put(8, 2, 4);
        machine.put(12, third, 4);
        let status = |machine: &mut Machine| machine.status();
        machine.put(0, 1, 4);
        assert_eq!(machine.get(4, 4) & 1, 1, "VERSION_1 is offered");
        if third == 0 {
            machine.negotiate(features);
        } else {
            machine.put(8, 1, 4);
            machine.put(12, 1, 4);
            machine.put(20, 0xb, 1);
        }
        assert_eq!(
            status(&mut machine),
            if ok { 0xb } else { 3 },
            "features {features:#x}, third word {third}"
        );
        machine.put(20, 0xf, 1);
        let expected = if ok { 0xf } else { 0x43 };
        assert_eq!(status(&mut machine), expected, "DRIVER_OK without FEATURES_OK needs a reset");
        assert_eq!(machine.seen.lock().activations.len(), usize::from(ok));
    }
}

#[test]
fn features_are_fixed_once_agreed() {
    let mut machine = machine();
    machine.put(0, 1, 4);
    assert_eq!(machine.get(4, 4), 1, "VERSION_1 is offered");
    machine.put(0, 2, 4);
    assert_eq!(machine.get(4, 4), 0);
    machine.negotiate(V1 | 5);
    machine.put(8, 0, 4);
    machine.put(12, 0, 4);
    assert_eq!(machine.get(12, 4), 5);
    machine.put(20, 0xf, 1);
    assert_eq!(machine.seen.lock().activations[0].features, V1 | 5);
}

#[test]
fn queues_are_handed_over_as_set_up() {
    let mut machine = machine();
    machine.negotiate(V1 | F_EVENT_IDX);
    assert_eq!(machine.get(18, 2), 2, "queues");
    machine.put(22, 1, 2);
    assert_eq!((machine.get(24, 2), machine.get(30, 2)), (16, 1));
    for bad in [0, 3, 32, 0x8000] {
        machine.put(24, bad, 2);
        assert_eq!(machine.get(24, 2), 16, "{bad} entries are refused");
    }
    let ring = RingLayout::at(0x4000, 8);
    machine.set_queue(1, 8, ring);
    machine.put(32, 0xdead_0000, 4);
    assert_eq!(machine.get(32, 8), ring.desc, "fixed while enabled");
    machine.put(22, 2, 2);
    assert_eq!((machine.get(24, 2), machine.get(26, 2)), (0, 0xffff), "no such queue");
    machine.put(20, 0xf, 1);
    let seen = machine.seen.lock();
    let queues = &seen.activations[0].queues;
    assert!(queues[0].is_none());
    let state = queues[1].as_ref().unwrap().queue.state();
    assert_eq!((state.size, state.ready, state.event_idx_enabled), (8, true, true));
    assert_eq!((state.desc_table, state.avail_ring, state.used_ring), (ring.desc, ring.avail, ring.used));
}

#[test]
fn queues_outside_guest_memory_never_reach_the_device() {
    let good = RingLayout::at(0x1000, 16);
    let cases = [
        RingLayout { desc: RAM, ..good },
        RingLayout { desc: 0x1008, ..good },
        RingLayout { avail: RAM - 4, ..good },
        RingLayout { avail: 0x2001, ..good },
        RingLayout { used: u64::MAX - 3, ..good },
        RingLayout { used: 0x3002, ..good },
    ];
    for ring in cases {
        let mut machine = machine();
        machine.negotiate(V1);
        machine.set_queue(0, 16, ring);
        machine.put(20, 0xf, 1);
        assert_eq!(machine.status(), 0x4f, "{ring:x?}");
        assert_eq!(machine.seen.lock().activations.len(), 0);
        machine.put(20, 0, 1);
        assert_eq!(machine.status(), 0);
    }
}

#[test]
fn a_device_that_cannot_start_needs_a_reset() {
    let seen = Arc::new(Mutex::new(Seen::default()));
    let device = FakeDevice { fails: true, ..FakeDevice::new(seen.clone()) };
    let mut machine = machine_with(Box::new(device), seen);
    machine.start();
    assert_eq!(machine.status(), 0x4f);
}

#[test]
fn a_device_reset_takes_everything_back() {
    let mut machine = machine();
    machine.start();
    assert_eq!(machine.doorbells.addresses().len(), 2);
    machine.put(16, 1, 2);
    machine.put(20, 0, 1);
    assert_eq!((machine.status(), machine.seen.lock().resets), (0, 2), "one before the start, one after");
    assert_eq!(
        (machine.get(16, 2), machine.get(22, 2), machine.get(28, 2), machine.get(32, 8)),
        (0xffff, 0, 0, 0)
    );
    assert_eq!(machine.doorbells.addresses(), [0u64; 0]);
    machine.start();
    assert_eq!(machine.seen.lock().activations.len(), 2);
    PciFunction::reset(&mut machine.pci);
    assert_eq!((machine.status(), machine.seen.lock().system_resets), (0, 1));
    assert_eq!(machine.pci.windows(), []);
}

#[test]
fn doorbells_follow_the_bar_and_trap_where_they_cannot() {
    let mut machine = machine();
    assert_eq!(machine.doorbells.addresses(), [0u64; 0], "nothing before DRIVER_OK");
    machine.start();
    let at = |bar: u64| [bar + layout::NOTIFY, bar + layout::NOTIFY + 4];
    assert_eq!(machine.doorbells.addresses(), at(BAR_AT));
    machine.pci.config_write(regs::BAR0 + 4, &0x10u32.to_le_bytes());
    assert_eq!(machine.doorbells.addresses(), at(BAR_AT | 0x10 << 32));
    machine.command(4);
    assert_eq!(machine.doorbells.addresses(), [0u64; 0]);
    machine.doorbells.refuse.store(true, Ordering::Relaxed);
    machine.command(6);
    machine.put(layout::NOTIFY, 0, 2);
    let kicks = machine.seen.lock().activations[0].queues[0].as_ref().unwrap().kick.read();
    assert_eq!(kicks.unwrap(), 1, "the trapped write kicks too");
    drop(machine.pci);
    assert_eq!(machine.doorbells.addresses(), [0u64; 0]);
}

#[test]
fn interrupts_take_the_vectors_of_the_driver() {
    let mut machine = machine();
    machine.negotiate(V1);
    for (vector, data) in [(0, 0x40), (2, 0x42)] {
        machine.set_vector(vector, data);
    }
    machine.enable_msix();
    machine.put(16, 0, 2);
    machine.put(22, 1, 2);
    machine.put(26, 2, 2);
    assert_eq!(machine.get(26, 2), 2);
    machine.put(22, 0, 2);
    machine.put(26, 3, 2);
    assert_eq!(machine.get(26, 2), 0xffff, "there are three vectors");
    machine.put(20, 0xf, 1);
    let interrupt = machine.interrupt();
    interrupt.queue(0);
    interrupt.queue(1);
    interrupt.queue(77);
    interrupt.config_changed();
    assert_eq!((machine.vector(0x40).take(), machine.vector(0x42).take()), (1, 1));
    assert_eq!(machine.get(21, 1), 1, "generation");
    interrupt.needs_reset();
    interrupt.needs_reset();
    assert_eq!((machine.vector(0x40).take(), machine.status()), (1, 0x4f), "told once");
    assert!(!machine.line.level());
    assert_eq!(machine.get(layout::ISR, 1), 0);
}

#[test]
fn without_msix_the_line_and_the_isr_serve() {
    let mut machine = machine();
    machine.start();
    let status = |machine: &mut Machine| {
        let mut raw = [0; 2];
        machine.pci.config_read(regs::STATUS, &mut raw);
        u16::from_le_bytes(raw) & regs::STATUS_INTX
    };
    let interrupt = machine.interrupt();
    interrupt.queue(0);
    assert!(machine.line.level() && status(&mut machine) != 0);
    interrupt.config_changed();
    assert_eq!(machine.get(layout::ISR, 1), 3);
    assert!(!machine.line.level() && status(&mut machine) == 0);
    assert_eq!(machine.get(layout::ISR, 1), 0, "reading clears");
    machine.command(6 | regs::COMMAND_INTX_OFF);
    interrupt.queue(0);
    assert!(!machine.line.level() && status(&mut machine) != 0);
    machine.command(6);
    assert!(machine.line.level());
    machine.put(20, 0, 1);
    assert!(!machine.line.level());
}

#[test]
fn configuration_writes_are_the_devices_to_judge() {
    let mut machine = machine();
    machine.negotiate(V1 | 4);
    assert_eq!(machine.get(layout::DEVICE, 8), u64::from_le_bytes(*b"config!!"));
    assert_eq!(machine.get(layout::DEVICE + 6, 4), u64::from(u16::from_le_bytes(*b"!!")));
    machine.put(layout::DEVICE, 0x58, 1);
    assert_eq!((machine.get(layout::DEVICE, 1), machine.status()), (0x58, 0xb));
    machine.put(layout::DEVICE + 1, 0, 1);
    assert_eq!(machine.status(), 0x4b);
}

#[test]
fn the_window_capability_reaches_the_structures() {
    let mut machine = machine();
    let at = machine.pci.places.window;
    let aim = |machine: &mut Machine, bar: u8, offset: u32, length: u32| {
        machine.pci.config_write(at + 4, &[bar]);
        machine.pci.config_write(at + 8, &offset.to_le_bytes());
        machine.pci.config_write(at + 12, &length.to_le_bytes());
    };
    let data = |machine: &mut Machine| {
        let mut raw = [0; 4];
        machine.pci.config_read(at + 16, &mut raw);
        u32::from_le_bytes(raw)
    };
    aim(&mut machine, 0, layout::DEVICE as u32, 4);
    assert_eq!(data(&mut machine), u32::from_le_bytes(*b"conf"));
    aim(&mut machine, 0, 20, 1);
    machine.pci.config_write(at + 16, &[3]);
    assert_eq!((machine.status(), data(&mut machine)), (3, 3));
    for (bar, offset, length) in
        [(1, 20, 1), (0, 21, 2), (0, 20, 3), (0, 20, 0), (0, 20, u32::MAX), (0, u32::MAX, 1)]
    {
        aim(&mut machine, bar, offset, length);
        machine.pci.config_write(at + 16, &[0]);
        assert_eq!(machine.status(), 3, "BAR {bar}, offset {offset:#x}, length {length}");
    }
}

#[test]
fn a_real_device_works_through_the_transport() {
    let mut machine = machine_with(Box::new(Rng::default()), Arc::default());
    machine.negotiate(V1 | F_EVENT_IDX | F_INDIRECT_DESC);
    let mut queue = DriverQueue::new(machine.mem.clone(), 0x1000, 0x4_0000, 64, true);
    machine.set_queue(0, 64, queue.layout);
    machine.set_vector(1, 0x99);
    machine.enable_msix();
    machine.put(26, 1, 2);
    machine.put(20, 0xf, 1);
    let vector = machine.vector(0x99);
    for round in 0..20 {
        let used = queue.used_index();
        queue.set_used_event(used);
        let sent = queue.chain().writable_in_pieces(300, 100).indirect().send();
        if round % 2 == 0 {
            assert!(machine.doorbells.ring(BAR_AT + layout::NOTIFY));
        } else {
            machine.put(layout::NOTIFY, 0, 2);
        }
        let used = queue.wait(5 * SECOND).unwrap();
        assert_eq!((used.id, used.len), (u32::from(sent.head), 300));
        assert!(vector.wait(5 * SECOND), "round {round}: an interrupt");
    }
    machine.put(20, 0, 1);
    assert_eq!(machine.status(), 0);
}

#[test]
fn behind_an_iommu_a_driver_must_say_that_it_translates() {
    let behind = Behind::new(RAM);
    let seen = Arc::new(Mutex::new(Seen::default()));
    let mut machine =
        machine_of(Box::new(FakeDevice::new(seen.clone())), seen, behind.mem.clone(), behind.dma());
    machine.put(0, 1, 4);
    assert_eq!(machine.get(4, 4), 3, "VERSION_1 and ACCESS_PLATFORM are offered");
    for (features, fine) in [(V1, false), (V1 | common::F_ACCESS_PLATFORM, true)] {
        machine.negotiate(features);
        assert_eq!(machine.status() & 8 != 0, fine, "{features:#x}");
    }
    // Nothing is mapped yet, and need not be before the device gets to it.
    machine.set_queue(0, 16, RingLayout::at(0x1000, 16));
    machine.put(20, 0xf, 1);
    assert_eq!((machine.status(), machine.seen.lock().activations.len()), (0xf, 1));
}

#[test]
fn beside_the_iommu_access_platform_is_not_offered() {
    let mut machine = machine();
    machine.put(0, 1, 4);
    assert_eq!(machine.get(4, 4), 1);
    machine.negotiate(V1 | common::F_ACCESS_PLATFORM);
    assert_eq!(machine.status() & 8, 0);
}
