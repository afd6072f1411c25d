use virtio_iommu_spec::{FAULT_SIZE, Status};

use super::super::rig::*;
use crate::virtio::VirtioDevice;
use crate::virtio::testkit::{SECOND, Sent};

const SIZE: u32 = FAULT_SIZE as u32;

impl Rig {
    fn event_buffer(&mut self, len: u32) -> Sent {
        self.bench.queues[1].chain().writable(len).send()
    }

    /// The report that came into `buffer`.
    fn report(&mut self, buffer: &Sent) -> Vec<u8> {
        let events = &mut self.bench.queues[1];
        let used = events.wait(SECOND).expect("an event");
        assert_eq!((used.id, used.len), (buffer.head.into(), SIZE));
        events.reply(buffer, used).bytes
    }

    /// A message of the endpoint that leads nowhere: a fault.
    fn fault(&self, endpoint: u32, address: u64) {
        assert_eq!(self.message(endpoint, address), None);
    }
}

#[test]
fn e1_reserved_bytes_and_unknown_flags_of_a_report_are_zero() {
    let mut rig = rig();
    let buffer = rig.event_buffer(SIZE);
    rig.fault(16, 0x1234_5678);
    let report = rig.report(&buffer);
    assert_eq!(report[1..4], [0; 3]);
    assert_eq!(u32::from_le_bytes(report[4..8].try_into().unwrap()) & !0x103, 0);
    assert_eq!(report[12..16], [0; 4]);
}

#[test]
fn e2_a_report_names_the_endpoint() {
    let mut rig = rig();
    for endpoint in [8, 16] {
        let buffer = rig.event_buffer(SIZE);
        rig.fault(endpoint, 0x5000);
        assert_eq!(rig.report(&buffer)[8..12], endpoint.to_le_bytes());
    }
}

#[test]
fn e3_a_report_tells_the_address_when_it_knows_it() {
    let mut rig = Plan { entries: 1, ..Plan::default() }.build();
    let buffer = rig.event_buffer(SIZE);
    rig.fault(8, 0xffff_ffff_ffff_f123);
    let report = rig.report(&buffer);
    assert_eq!((report[0], report[5] & 1), (1, 1), "in no domain; the address is valid");
    assert_eq!(report[16..24], 0xffff_ffff_ffff_f123u64.to_le_bytes());
    let buffer = rig.event_buffer(SIZE);
    rig.attach(8, 1);
    rig.fault(8, 0x5000);
    assert_eq!(rig.report(&buffer)[0], 2, "in a domain, no mapping");
    let buffer = rig.event_buffer(SIZE);
    rig.map_page(1, 0);
    assert_eq!(rig.map_page(1, 1), Status::NoMem);
    let report = rig.report(&buffer);
    assert_eq!((report[0], report[5] & 1), (0, 0), "a failure of the host has no address");
}

#[test]
fn e4_a_report_is_never_split_over_buffers() {
    let mut rig = rig();
    let small = rig.event_buffer(12);
    rig.event_buffer(12);
    rig.fault(8, 0x5000);
    let used = rig.bench.queues[1].wait(SECOND).expect("given back");
    assert_eq!((used.len, rig.bench.queues[1].reply(&small, used).bytes), (0, vec![0xa5; 12]));
    assert_eq!(rig.bench.queues[1].wait(SECOND / 20), None, "the second is left for the next report");
}

#[test]
fn e5_the_ring_is_looked_at_when_a_fault_happens_and_without_a_buffer_the_report_is_dropped() {
    let mut rig = rig();
    rig.fault(8, 0x1000);
    // A request that is answered shows that the worker has been round.
    let dropped = |rig: &mut Rig| {
        rig.attach(8, 1);
        rig.device.handle().report().counters.events_dropped
    };
    while dropped(&mut rig) == 0 {}
    assert_eq!(dropped(&mut rig), 1);
    let buffer = rig.event_buffer(SIZE); // No kick.
    rig.fault(8, 0x2000);
    assert_eq!(rig.report(&buffer)[16..24], 0x2000u64.to_le_bytes(), "the dropped one does not come later");
    rig.attach(8, 1); // Answered once the worker is done with the report.
    assert_eq!(rig.device.handle().report().counters.events, 1);
}

#[test]
fn e6_faults_do_not_stop_the_device() {
    let mut rig = rig();
    for n in 0..1000 {
        rig.fault(8, n << 12);
    }
    assert_eq!(rig.attach(8, 1), Status::Ok);
    assert!(!rig.bench.interrupt.asked_for_reset());
    rig.device.reset();
}

#[test]
fn e5_reports_that_wait_for_nobody_are_bounded_and_the_rest_is_counted() {
    let mut rig = rig();
    rig.device.reset();
    (0..70).for_each(|page| rig.fault(8, page * PAGE));
    let buffers: Vec<_> = (0..64).map(|_| rig.event_buffer(SIZE)).collect();
    rig.device.activate(rig.bench.activation()).unwrap();
    for (page, buffer) in buffers.iter().enumerate() {
        assert_eq!(rig.report(buffer)[16..24], (page as u64 * PAGE).to_le_bytes(), "the oldest first");
    }
    // The same thread answers this after it has counted.
    assert_eq!(rig.attach(8, 1), Status::Ok);
    let counters = rig.device.handle().report().counters;
    assert_eq!((counters.events, counters.events_dropped), (64, 6));
}
