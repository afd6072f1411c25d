use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::*;
use crate::virtio::testkit::{Behind, Bench, RawDesc, SECOND, ram};

fn started(features: u64) -> (Rng, Bench) {
    let mut device = Rng::default();
    let bench = Bench::new(ram(1 << 20), &device, features);
    device.activate(bench.activation()).unwrap();
    (device, bench)
}

#[test]
fn requests_of_every_size_are_filled() {
    for features in [0, F_EVENT_IDX, F_EVENT_IDX | F_INDIRECT_DESC] {
        let (mut device, mut bench) = started(features);
        for (room, given) in [(1, 1), (7, 7), (4096, 4096), (5000, 5000), (128 << 10, REQUEST_LIMIT)] {
            let reply =
                bench.queues[0].request(&[], room).unwrap_or_else(|| panic!("{room} bytes: no answer"));
            assert_eq!(reply.len, given);
            let (filled, rest) = reply.bytes.split_at(given as usize);
            assert!(given < 64 || filled.iter().filter(|byte| **byte == 0xa5).count() < filled.len() / 16);
            assert!(rest.iter().all(|byte| *byte == 0xa5), "beyond the used length nothing is touched");
        }
        assert!(bench.interrupt.queue_count(0) > 0);
        device.reset();
    }
}

#[test]
fn requests_made_before_the_start_need_no_kick() {
    let mut device = Rng::default();
    let mut bench = Bench::new(ram(1 << 20), &device, F_EVENT_IDX);
    bench.queues[0].chain().writable(16).send();
    device.activate(bench.activation()).unwrap();
    assert_eq!(bench.queues[0].wait(5 * SECOND).unwrap().len, 16);
}

#[test]
fn a_bad_chain_asks_for_a_reset_and_the_device_still_stops() {
    let (mut device, mut bench) = started(F_EVENT_IDX);
    bench.queues[0].raw(0, RawDesc { addr: u64::MAX, len: 16, flags: RawDesc::WRITE, next: 0 });
    bench.queues[0].publish(0);
    bench.queues[0].kick();
    assert!(bench.interrupt.wait_needs_reset(5 * SECOND));
    let begun = Instant::now();
    device.reset();
    assert!(begun.elapsed() < SECOND);
    let mut again = Bench::new(ram(1 << 20), &device, 0);
    device.activate(again.activation()).unwrap();
    assert_eq!(again.queues[0].request(&[], 8).unwrap().len, 8, "it works again after the reset");
}

#[test]
fn a_busy_device_stops_within_a_second() {
    let (mut device, mut bench) = started(F_EVENT_IDX);
    for _ in 0..3 {
        bench.queues[0].chain().writable(REQUEST_LIMIT).send();
    }
    bench.queues[0].kick();
    let begun = Instant::now();
    device.reset();
    assert!(begun.elapsed() < SECOND);
    let used = std::iter::from_fn(|| bench.queues[0].poll()).count();
    assert_eq!(
        bench.queues[0].wait(SECOND / 50),
        None,
        "nothing happens after the reset ({used} done before)"
    );
}

#[test]
fn a_driver_that_never_stops_asking_does_not_hold_up_the_reset() {
    let (mut device, mut bench) = started(F_EVENT_IDX);
    let (asking, mut queue) = (AtomicBool::new(true), bench.queues.remove(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while asking.load(Ordering::Relaxed) {
                while queue.poll().is_some() {}
                if queue.in_flight() < 200 {
                    queue.chain().part(0x9_0000, 64, true).send();
                    queue.kick_if_wanted();
                }
            }
        });
        assert!(bench.interrupt.wait_queue(0, 1, 5 * SECOND));
        let begun = Instant::now();
        device.reset();
        let took = begun.elapsed();
        asking.store(false, Ordering::Relaxed);
        assert!(took < SECOND, "{took:?}");
    });
}

const RAM: u64 = 1 << 20;

/// The device behind an IOMMU that maps all of guest memory at `Behind::SHIFT`.
fn behind(features: u64) -> (Behind, Rng, Bench) {
    let behind = Behind::mapped(RAM);
    let mut device = Rng::default();
    let bench = Bench::behind(&behind, &device, features);
    device.activate(bench.activation()).unwrap();
    (behind, device, bench)
}

#[test]
fn behind_an_iommu_ring_tables_and_buffers_are_translated() {
    for features in [0, F_EVENT_IDX | F_INDIRECT_DESC] {
        let (behind, _device, mut bench) = behind(features);
        assert_eq!(bench.queues[0].request(&[], 9000).unwrap().len, 9000);
        if features & F_INDIRECT_DESC != 0 {
            let sent = bench.queues[0].chain().writable_in_pieces(5000, 700).indirect().send();
            bench.queues[0].kick_if_wanted();
            let used = bench.queues[0].wait(5 * SECOND).unwrap();
            assert_eq!((used.id, used.len), (sent.head.into(), 5000));
        }
        assert!(behind.faults().is_empty());
    }
}

#[test]
fn a_buffer_that_is_not_writable_fails_its_request_alone() {
    let (behind, _device, mut bench) = behind(F_EVENT_IDX);
    let (page, iova) = (RAM - 4096, Behind::SHIFT + RAM - 4096);
    behind.unmap(iova, 4096);
    for mapped in [false, true] {
        if mapped {
            behind.map(iova, 4096, page, 1);
        }
        bench.queues[0].chain().part(iova, 64, true).send();
        bench.queues[0].kick_if_wanted();
        assert_eq!(bench.queues[0].wait(5 * SECOND).map(|used| used.len), Some(0));
        assert_eq!(behind.faults(), [(iova, "w")]);
    }
    let mut bytes = [1; 64];
    vm_memory::Bytes::read_slice(&*behind.mem, &mut bytes, vm_memory::GuestAddress(page)).unwrap();
    assert_eq!(bytes, [0; 64], "not a byte was written");
    assert_eq!(bench.queues[0].request(&[], 8).unwrap().len, 8, "the queue goes on");
    assert!(!bench.interrupt.asked_for_reset());
}

#[test]
fn a_ring_that_is_taken_away_asks_for_a_reset() {
    for name in ["descriptors", "available and used ring"] {
        let (behind, mut device, mut bench) = behind(F_EVENT_IDX);
        assert_eq!(bench.queues[0].request(&[], 8).unwrap().len, 8);
        let layout = bench.queues[0].layout;
        let place = if name == "descriptors" { layout.desc } else { layout.avail };
        let iova = Behind::SHIFT + (place & !0xfff);
        assert_eq!(behind.unmap(iova, 4096), virtio_iommu_spec::Status::Ok);
        bench.queues[0].chain().writable(8).send();
        bench.queues[0].kick();
        assert!(bench.interrupt.wait_needs_reset(5 * SECOND), "{name}");
        assert_eq!(bench.queues[0].wait(SECOND / 50), None, "{name}");
        let faults = behind.faults();
        assert!(
            !faults.is_empty() && faults.iter().all(|(at, _)| at & !0xfff == iova),
            "{name}: {faults:x?}"
        );
        device.reset();
    }
}

#[test]
fn an_unmapped_table_of_descriptors_asks_for_a_reset() {
    let (behind, _device, mut bench) = behind(F_EVENT_IDX | F_INDIRECT_DESC);
    let iova = Behind::SHIFT + RAM - 4096;
    behind.unmap(iova, 4096);
    bench.queues[0].raw(0, RawDesc { addr: iova, len: 16, flags: RawDesc::INDIRECT, next: 0 });
    bench.queues[0].publish(0);
    bench.queues[0].kick();
    assert!(bench.interrupt.wait_needs_reset(5 * SECOND));
    assert_eq!(behind.faults(), [(iova, "r")]);
}

#[test]
fn an_iommu_that_is_reset_ends_the_device_not_the_machine() {
    let (mut behind, mut device, mut bench) = behind(F_EVENT_IDX);
    behind.viommu.reset();
    bench.queues[0].chain().writable(8).send();
    bench.queues[0].kick();
    assert!(bench.interrupt.wait_needs_reset(5 * SECOND));
    device.reset();
}
