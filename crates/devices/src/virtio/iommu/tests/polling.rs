use std::time::{Duration, Instant};

use virtio_iommu_spec::{FAULT_SIZE, Status};

use super::rig::{ALL_FEATURES, PAGE, Plan, Rig};
use crate::virtio::VirtioDevice;
use crate::virtio::iommu::{PollMode, RequestCounters};
use crate::virtio::testkit::SECOND;

const EVENT_IDX: u64 = 1 << 29;
/// Longer than any test takes.
const FOR_EVER: PollMode = PollMode::Fixed(Duration::from_secs(600));

/// A rig whose worker polls so, with endpoint 8 in domain 1.
fn polling(mode: PollMode, features: u64) -> Rig {
    let mut rig = Plan { poll: mode, features, ..Plan::default() }.build();
    assert_eq!(rig.attach(8, 1), Status::Ok);
    rig
}

fn counters(rig: &Rig) -> RequestCounters {
    rig.device.handle().report().counters
}

/// Waits until the device asks for kicks again: its worker has looked for long enough.
fn wait_asleep(rig: &mut Rig) {
    let end = Instant::now() + 5 * SECOND;
    while !rig.bench.queues[0].wants_kick() {
        assert!(Instant::now() < end, "the device never asks for kicks again");
        std::thread::yield_now();
    }
}

/// Maps and unmaps `count` pages as a driver does; how many of the requests needed a kick.
fn pairs(rig: &mut Rig, count: u64) -> u64 {
    let kicks = rig.bench.queues[0].kicks();
    for n in 0..count {
        assert_eq!(rig.map_page(1, n), Status::Ok);
        assert_eq!(rig.unmap(1, n * PAGE, n * PAGE + 0xfff), Status::Ok);
    }
    rig.bench.queues[0].kicks() - kicks
}

#[test]
fn a_driver_that_is_looked_after_never_kicks() {
    for features in [ALL_FEATURES, ALL_FEATURES | EVENT_IDX] {
        let mut rig = polling(FOR_EVER, features);
        assert_eq!(pairs(&mut rig, 500), 0, "features {features:#x}");
        assert!(
            counters(&rig).kicks <= 1,
            "only the ATTACH came by a kick, if the worker was not just starting"
        );
    }
}

#[test]
fn without_polling_each_request_of_an_idle_ring_kicks() {
    let mut rig = polling(PollMode::Off, ALL_FEATURES);
    for n in 0..16 {
        wait_asleep(&mut rig);
        let kicks = rig.bench.queues[0].kicks();
        assert_eq!(rig.map_page(1, n), Status::Ok);
        assert_eq!(rig.bench.queues[0].kicks(), kicks + 1);
    }
    assert_eq!(counters(&rig).polled, 0);
}

#[test]
fn an_idle_device_sleeps_until_the_next_kick_and_no_longer() {
    for mode in [PollMode::Auto, PollMode::Off, PollMode::Fixed(Duration::from_micros(100))] {
        let mut rig = polling(mode, ALL_FEATURES);
        while counters(&rig).kicks < rig.bench.queues[0].kicks() {
            std::thread::yield_now(); // the ATTACH may have been served before its kick was heard
        }
        wait_asleep(&mut rig);
        let before = (counters(&rig).kicks, rig.bench.queues[0].kicks());
        assert_eq!(rig.map_page(1, 0), Status::Ok);
        wait_asleep(&mut rig);
        let after = (counters(&rig).kicks, rig.bench.queues[0].kicks());
        assert_eq!((after.0 - before.0, after.1 - before.1), (1, 1), "{mode:?}: one request, one wake-up");
    }
}

#[test]
fn a_kick_for_nothing_is_no_reason_to_look() {
    let mut rig = Plan { poll: FOR_EVER, ..Plan::default() }.build();
    let end = Instant::now() + 5 * SECOND;
    while counters(&rig).kicks < 3 {
        rig.bench.queues[0].kick();
        assert!(Instant::now() < end, "the worker still looks at the empty ring");
        std::thread::yield_now();
    }
}

#[test]
fn a_worker_that_looks_can_be_stopped() {
    let mut rig = polling(FOR_EVER, ALL_FEATURES);
    rig.device.reset(); // hangs if it cannot
    assert_eq!(rig.domain_of(8), None);
}

#[test]
fn a_driver_that_is_never_idle_hears_of_faults() {
    let mut rig = polling(FOR_EVER, ALL_FEATURES);
    let buffer = rig.bench.queues[1].chain().writable(FAULT_SIZE as u32).send();
    assert_eq!(rig.message(8, 0x1234_5000), None, "a message that leads nowhere is a fault");
    let used = rig.bench.queues[1].wait(5 * SECOND).expect("the fault comes while the worker looks");
    assert_eq!((used.id, used.len), (buffer.head.into(), FAULT_SIZE as u32));
}
