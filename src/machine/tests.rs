use std::sync::mpsc;
use std::time::Duration;

use base::GuestRam;
use data_model::Span;
use devices::virtio::testkit::{DriverQueue, FakeInterrupt};
use devices::virtio::{Activation, Chain, Ring, RingError, Worker, WorkerHandler};

use super::*;

/// A device with a bug.
struct Buggy;

impl WorkerHandler for Buggy {
    fn handle(&mut self, _index: u16, _chain: &Chain, _ring: &Ring) -> Result<u32, RingError> {
        panic!("a bug in a device");
    }
}

#[test]
fn a_panic_in_a_devices_queue_thread_ends_the_machine_at_once() {
    let control = Arc::new(Control::new(0, Box::new(|| {})));
    end_on_panic(&control);
    let ram = GuestRam::new(&[Span::new(0, 0xf_ffff).unwrap()]).unwrap();
    let mut driver = DriverQueue::new(ram.mem.clone(), 0x1000, 0x8000, 8, false);
    let interrupt = Arc::<FakeInterrupt>::default();
    let queues = vec![Some(driver.handle())];
    let activation = Activation { mem: ram.mem.into(), interrupt, queues, features: 0 };
    let worker = Worker::start("buggy", activation, Buggy).unwrap();
    driver.chain().readable(&[1]).send();
    driver.kick();
    // The device has not been stopped, and nobody has asked it for anything.
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || tell.send(control.wait()));
    assert_eq!(told.recv_timeout(Duration::from_secs(10)), Ok(Outcome::Crash));
    worker.stop();
}
