use virtio_iommu_spec::{FAULT_SIZE, Status};

use super::rig::*;
use crate::virtio::testkit::SECOND;

#[test]
fn a_full_host_is_told_by_status_and_event() {
    let mut rig = rig();
    let buffer = rig.bench.queues[1].chain().writable(FAULT_SIZE as u32).send(); // E5: no kick
    rig.attach(8, 1);
    for page in 0..16 {
        assert_eq!(rig.map(1, page * PAGE, page * PAGE + 0xfff, 0, 3), Status::Ok);
    }
    assert_eq!(rig.map(1, 16 * PAGE, 17 * PAGE - 1, 0, 3), Status::NoMem);
    let events = &mut rig.bench.queues[1];
    let used = events.wait(SECOND).expect("an event");
    assert_eq!(used.len, FAULT_SIZE as u32);
    assert_eq!(events.reply(&buffer, used).bytes[8..12], 8u32.to_le_bytes(), "E2");
    assert_eq!(rig.hosts[0].mappings().len(), 16, "and nothing else changed");
}

#[test]
fn messages_translate_or_are_reported() {
    let mut rig = rig();
    assert_eq!(rig.message(8, 0xfee0_1000), Some(0xfee0_1000), "the doorbell needs no mapping");
    rig.attach(8, 1);
    let buffer = rig.bench.queues[1].chain().writable(FAULT_SIZE as u32).send();
    assert_eq!(rig.message(8, 0x5000), None);
    let events = &mut rig.bench.queues[1];
    let used = events.wait(SECOND).expect("an event");
    let report = events.reply(&buffer, used).bytes;
    assert_eq!(
        (report[0], &report[4..8]),
        (2, &[2, 1, 0, 0][..]),
        "a mapping fault of a write, with its address"
    );
    assert_eq!(report[16..24], 0x5000u64.to_le_bytes());
    rig.map(1, 0x5000, 0x5fff, PAGE, 2);
    assert_eq!(rig.message(8, 0x5040), Some(PAGE + 0x40));
}

#[test]
fn an_event_buffer_that_is_too_small_comes_back_empty() {
    let mut rig = rig();
    rig.bench.queues[1].chain().writable(FAULT_SIZE as u32 - 1).send();
    rig.attach(8, 1);
    assert_eq!(rig.message(8, 0x5000), None);
    let used = rig.bench.queues[1].wait(SECOND).expect("E4: given back");
    assert_eq!(used.len, 0);
    assert_eq!(rig.message(8, 0x5000), None, "and without any buffer nothing hangs (E5)");
    assert_eq!(rig.unmap(1, 0, u64::MAX), Status::Ok);
}
