use std::sync::atomic::{AtomicU32, Ordering};

use sync::Mutex;

use super::*;
use crate::virtio::testkit::{DriverQueue, FakeInterrupt, SECOND, ram, until};
use crate::virtio::{F_EVENT_IDX, QueueHandle};

fn start(
    handle: QueueHandle,
    mem: Arc<base::GuestMem>,
    features: u64,
    handler: impl WorkerHandler,
) -> Worker {
    let interrupt = Arc::new(FakeInterrupt::default());
    let activation = Activation { mem: mem.into(), interrupt, queues: vec![None, Some(handle)], features };
    Worker::start("test", activation, handler).unwrap()
}

/// Answers at once.
struct Prompt;

impl WorkerHandler for Prompt {
    fn handle(&mut self, index: u16, _chain: &Chain, _ring: &Ring) -> Result<u32, RingError> {
        Ok(index.into())
    }
}

#[test]
fn requests_back_to_back_are_all_answered() {
    for features in [0, F_EVENT_IDX] {
        let mem = ram(1 << 20);
        let mut driver = DriverQueue::new(mem.clone(), 0x1000, 0x2_0000, 8, features != 0);
        let worker = start(driver.handle(), mem, features, Prompt);
        // Each request comes while the device looks for more, or is about to sleep.
        for n in 0..5000 {
            let reply = driver.request(&[1], 0);
            assert_eq!(reply.map(|reply| reply.len), Some(1), "request {n}, features {features:#x}");
        }
        worker.stop();
    }
}

/// A driver that has the next request ready before the device is done with the last.
struct Insatiable {
    driver: Mutex<DriverQueue>,
    handled: Arc<AtomicU32>,
}

const ENOUGH: u32 = 2_000_000;

impl WorkerHandler for Insatiable {
    fn handle(&mut self, _index: u16, _chain: &Chain, _ring: &Ring) -> Result<u32, RingError> {
        if self.handled.fetch_add(1, Ordering::Relaxed) < ENOUGH {
            let mut driver = self.driver.lock();
            while driver.poll().is_some() {}
            driver.chain().part(0x1_0000, 1, false).send();
        }
        Ok(0)
    }
}

#[test]
fn an_endless_stream_of_requests_does_not_hold_up_the_stop() {
    let mem = ram(1 << 20);
    let mut driver = DriverQueue::new(mem.clone(), 0x1000, 0x2_0000, 8, true);
    let handle = driver.handle();
    driver.chain().part(0x1_0000, 1, false).send();
    let handled = Arc::new(AtomicU32::new(0));
    let worker =
        start(handle, mem, F_EVENT_IDX, Insatiable { driver: Mutex::new(driver), handled: handled.clone() });
    let end = std::time::Instant::now() + 5 * SECOND;
    while handled.load(Ordering::Relaxed) < 100 {
        assert!(std::time::Instant::now() < end, "more than one ring's worth is served without a kick");
        std::thread::yield_now();
    }
    worker.stop();
    assert!(handled.load(Ordering::Relaxed) < ENOUGH, "the stop had to wait for the end of the stream");
}

/// Works on its request until it is told that it shall stop.
struct Thorough(Arc<AtomicU32>);

impl WorkerHandler for Thorough {
    fn handle(&mut self, _index: u16, _chain: &Chain, ring: &Ring) -> Result<u32, RingError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        if !until(5 * SECOND, || ring.is_stopping()) {
            self.0.fetch_add(100, Ordering::SeqCst);
        }
        Ok(0)
    }
}

#[test]
fn a_stop_cuts_the_request_short_and_leaves_the_rest_of_the_ring() {
    let mem = ram(1 << 20);
    let mut driver = DriverQueue::new(mem.clone(), 0x1000, 0x2_0000, 8, false);
    for _ in 0..8 {
        driver.chain().part(0x1_0000, 1, false).send();
    }
    let handled = Arc::new(AtomicU32::new(0));
    let worker = start(driver.handle(), mem, 0, Thorough(handled.clone()));
    assert!(until(5 * SECOND, || handled.load(Ordering::SeqCst) > 0));
    worker.stop();
    assert_eq!(handled.load(Ordering::SeqCst), 1, "each is served to its end");
    assert_eq!(driver.poll(), None, "a request came back that was not carried out");
}
