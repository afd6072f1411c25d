use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::*;
use crate::virtio::testkit::{Bench, RawDesc, SECOND, ram};

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
