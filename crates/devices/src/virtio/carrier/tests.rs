use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::virtio::testkit::{Bench, SECOND, ram, until};
use crate::virtio::{Console, ConsoleEnds};

/// A port on which nothing ever comes, and that counts what is sent.
struct Silent(Arc<AtomicUsize>);

impl Port for Silent {
    fn input(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn receive(&mut self, _bytes: &mut [u8], _room: usize) -> io::Result<usize> {
        Err(ErrorKind::WouldBlock.into())
    }

    fn most(&self) -> usize {
        16
    }

    fn packets(&self) -> bool {
        false
    }

    fn send(&mut self, bytes: &[u8], _stop: &Stop) {
        self.0.fetch_add(bytes.len(), Ordering::SeqCst);
    }
}

fn bench() -> Bench {
    let output = std::fs::File::options().write(true).open("/dev/null").unwrap().into();
    Bench::new(ram(1 << 20), &Console::new(ConsoleEnds { input: None, output }), 0)
}

#[test]
fn direction_that_the_driver_does_not_use_is_no_trouble() {
    for unused in [RECEIVE, TRANSMIT] {
        let mut bench = bench();
        let sent = Arc::new(AtomicUsize::new(0));
        let mut activation = bench.activation();
        activation.queues[unused as usize] = None;
        let carrier = Carrier::start("test", 0, activation, Silent(sent.clone())).unwrap();
        if unused == RECEIVE {
            bench.queues[1].chain().readable(&[7; 40]).send();
            bench.queues[1].kick();
            assert!(bench.queues[1].wait(5 * SECOND).is_some());
            assert_eq!(sent.load(Ordering::SeqCst), 40);
        }
        drop(carrier);
        assert!(!bench.interrupt.asked_for_reset());
    }
}

#[test]
fn requests_made_before_the_start_need_no_kick() {
    let mut bench = bench();
    let sent = Arc::new(AtomicUsize::new(0));
    bench.queues[1].chain().readable(&[7; 40]).send();
    let carrier = Carrier::start("test", 0, bench.activation(), Silent(sent.clone())).unwrap();
    assert!(bench.queues[1].wait(5 * SECOND).is_some());
    drop(carrier);
    assert_eq!(sent.load(Ordering::SeqCst), 40);
}

#[test]
fn buffers_wait_for_a_port_that_has_nothing() {
    let mut bench = bench();
    bench.queues[0].chain().writable(8).send();
    let carrier = Carrier::start("test", 0, bench.activation(), Silent(Arc::default())).unwrap();
    drop(carrier);
    assert_eq!(bench.queues[0].poll(), None);
}

/// A host that takes a piece and then no more until the stop.
struct Slow(Silent);

impl Port for Slow {
    fn input(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn receive(&mut self, bytes: &mut [u8], room: usize) -> io::Result<usize> {
        self.0.receive(bytes, room)
    }

    fn most(&self) -> usize {
        self.0.most()
    }

    fn packets(&self) -> bool {
        false
    }

    fn send(&mut self, bytes: &[u8], stop: &Stop) {
        self.0.send(bytes, stop);
        if !until(5 * SECOND, || stop.is_asked()) {
            self.0.0.fetch_add(100, Ordering::SeqCst);
        }
    }
}

#[test]
fn a_stop_waits_for_one_piece_of_one_request() {
    let mut bench = bench();
    let sent = Arc::new(AtomicUsize::new(0));
    for _ in 0..2 {
        bench.queues[1].chain().readable(&[7; 40]).send();
    }
    let port = Slow(Silent(sent.clone()));
    let carrier = Carrier::start("test", 0, bench.activation(), port).unwrap();
    assert!(until(5 * SECOND, || sent.load(Ordering::SeqCst) > 0));
    drop(carrier);
    assert_eq!(sent.load(Ordering::SeqCst), 16);
    assert_eq!(bench.queues[1].poll(), None, "a request came back that was not carried out");
}
