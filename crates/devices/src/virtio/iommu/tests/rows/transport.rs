use virtio_iommu_spec::{Request, Status};

use super::super::rig::*;
use crate::virtio::testkit::SECOND;
use crate::virtio::{F_EVENT_IDX, F_INDIRECT_DESC, VirtioDevice};

#[test]
fn t1_the_used_length_is_no_larger_than_what_was_written() {
    let mut rig = rig();
    let requests = [
        bytes(&Request::Probe { endpoint: 8 }),
        bytes(&Request::Probe { endpoint: 444 }),
        bytes(&Request::Attach { domain: 1, endpoint: 8, flags: 0, reserved: 0 }),
        bytes(&Request::Map { domain: 9, virt_start: 0, virt_end: 0, phys_start: 0, flags: 0 }),
        vec![9; 40],
    ];
    for request in requests {
        // No byte of a true answer is 0xa5, with which the kit fills the buffer.
        let reply = rig.raw(&request, PROBE_ROOM + 40);
        let written = reply.bytes.iter().take_while(|byte| **byte != 0xa5).count();
        assert_eq!(reply.len as usize, written, "{request:x?}");
    }
}

#[test]
fn t4_no_interrupt_comes_where_the_driver_wants_none() {
    let mut rig = rig();
    rig.attach(8, 1);
    let wanted = rig.bench.interrupt.queue_count(0);
    assert!(wanted > 0, "it comes by default");
    rig.bench.queues[0].set_no_interrupt(true);
    for page in 0..8 {
        assert_eq!(rig.map_page(1, page), Status::Ok);
    }
    assert_eq!(rig.bench.interrupt.queue_count(0), wanted, "NO_INTERRUPT");

    let mut rig = rig_with(ALL_FEATURES | F_EVENT_IDX);
    rig.bench.queues[0].set_used_event(3);
    for domain in 0..8 {
        assert_eq!(rig.attach(8, domain), Status::Ok);
        assert_eq!(rig.bench.interrupt.queue_count(0), u64::from(domain >= 3), "EVENT_IDX after {domain}");
    }
}

#[test]
fn t5_a_request_may_be_split_at_any_byte_and_indirect_tables_are_not_offered() {
    let mut rig = rig();
    assert_eq!(
        rig.device.features() & F_INDIRECT_DESC,
        0,
        "Linux makes a table for each request where it can"
    );
    rig.attach(8, 1);
    let map = bytes(&Request::Map { domain: 1, virt_start: 0, virt_end: 0xfff, phys_start: 0, flags: 3 });
    for cut in 1..map.len() {
        let queue = &mut rig.bench.queues[0];
        let chain = queue.chain().readable(&map[..cut]).readable(&map[cut..]).writable(1 + cut as u32 % 3);
        let sent = chain.writable(4).send();
        queue.kick();
        let used = queue.wait(SECOND).expect("an answer");
        assert_eq!((used.len, &queue.reply(&sent, used).bytes[..4]), (4, &[0; 4][..]), "cut at {cut}");
        assert_eq!(rig.unmap(1, 0, 0xfff), Status::Ok);
    }
}
