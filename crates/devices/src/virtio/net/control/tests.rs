use super::*;
use crate::virtio::testkit::{DriverQueue, FakeInterrupt, RawDesc, SECOND, ram};
use crate::virtio::{Activation, Worker};

const OK: u8 = VIRTIO_NET_OK as u8;
const ERR: u8 = VIRTIO_NET_ERR as u8;

/// A control queue of a card with two pairs, which can be switched at will.
fn control() -> (DriverQueue, Worker) {
    let mem = ram(1 << 20);
    let taps = (0..2).map(|_| std::fs::File::open("/dev/null").unwrap().into()).collect();
    let pairs = Arc::new(Pairs::new(taps, Arc::new(|_, _| Ok(()))));
    let driver = DriverQueue::new(mem.clone(), 0x1000, 0x2_0000, 16, false);
    let interrupt = Arc::new(FakeInterrupt::default());
    let queues = vec![Some(driver.handle())];
    let activation = Activation { mem: mem.into(), interrupt, queues, features: 0 };
    (driver, Worker::start("test", activation, Control { pairs, several: true }).unwrap())
}

#[test]
fn commands_that_the_card_does_not_know_are_refused() {
    let cases: [(&[u8], u8); 7] = [
        (&[4, 0, 2, 0], OK),
        (&[4, 1, 2, 0], ERR),
        (&[3, 0, 2, 0], ERR),
        (&[4, 0, 2], ERR),
        (&[4, 0, 2, 0, 0], ERR),
        (&[4, 0, 2, 1], ERR),
        (&[0, 0, 1], ERR),
    ];
    let (mut driver, _worker) = control();
    for (bytes, answer) in cases {
        let reply = driver.request(bytes, 1).unwrap();
        assert_eq!((reply.len, &reply.bytes[..]), (1, &[answer][..]), "{bytes:?}");
    }
}

#[test]
fn command_without_room_for_an_answer_comes_back_and_the_next_is_carried_out() {
    let (mut driver, _worker) = control();
    assert_eq!(driver.request(&[4, 0, 2, 0], 0).unwrap().len, 0);
    // The answer is in the last byte; of those before it none is written.
    let reply = driver.request(&[4, 0, 2, 0], 3).unwrap();
    assert_eq!((reply.len, &reply.bytes[..]), (0, &[0xa5, 0xa5, OK][..]));
    driver.raw(0, RawDesc { addr: 0x4000, len: 1, flags: RawDesc::WRITE, next: 0 });
    driver.publish(0);
    driver.kick();
    assert_eq!(driver.wait(5 * SECOND).unwrap().len, 1, "a command of no bytes");
}
