use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use super::*;
use crate::virtio::testkit::{Behind, Bench, RawDesc, SECOND, ram};

const RX: usize = 0;
const TX: usize = 1;

/// A console whose other end is held by the test.
fn console() -> (Console, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    theirs.set_read_timeout(Some(5 * SECOND)).unwrap();
    let ends = ConsoleEnds { input: Some(ours.try_clone().unwrap().into()), output: ours.into() };
    (Console::new(ends), theirs)
}

fn started(features: u64) -> (Console, Bench, UnixStream) {
    let (mut device, host) = console();
    let bench = Bench::new(ram(1 << 20), &device, features);
    device.activate(bench.activation()).unwrap();
    (device, bench, host)
}

fn heard(host: &mut UnixStream, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    host.read_exact(&mut bytes).unwrap();
    bytes
}

#[test]
fn what_the_guest_writes_comes_out_whole_and_in_order() {
    for features in [0, F_EVENT_IDX, F_EVENT_IDX | F_INDIRECT_DESC] {
        let (_device, mut bench, mut host) = started(features);
        for len in [1, 7, PIECE, 3 * PIECE + 5] {
            let bytes: Vec<u8> = (0..len).map(|n| n as u8).collect();
            bench.queues[TX].chain().readable_in_pieces(&bytes, 1000).send();
            bench.queues[TX].kick();
            assert_eq!(heard(&mut host, len), bytes, "{len}");
            assert_eq!(
                bench.queues[TX].wait(5 * SECOND).unwrap().len,
                0,
                "nothing is written for the driver"
            );
        }
    }
}

#[test]
fn what_is_typed_comes_in_before_and_after_there_are_buffers() {
    let (_device, mut bench, mut host) = started(F_EVENT_IDX);
    host.write_all(b"early").unwrap();
    let reply = bench.queues[RX].request(&[], 3).unwrap();
    assert_eq!((reply.len, &reply.bytes[..]), (3, &b"ear"[..]), "as much as there is room for");
    let reply = bench.queues[RX].request(&[], 64).unwrap();
    assert_eq!(&reply.bytes[..reply.len as usize], b"ly");
    let sent = bench.queues[RX].chain().writable(64).send();
    bench.queues[RX].kick();
    host.write_all(b"late").unwrap();
    let used = bench.queues[RX].wait(5 * SECOND).unwrap();
    let reply = bench.queues[RX].reply(&sent, used);
    assert_eq!(&reply.bytes[..reply.len as usize], b"late");
    assert!(bench.interrupt.wait_queue(RX as u16, 1, 5 * SECOND));
}

#[test]
fn buffer_without_room_comes_back_and_takes_no_byte() {
    let (_device, mut bench, mut host) = started(0);
    host.write_all(b"x").unwrap();
    bench.queues[RX].chain().readable(b"not for writing").send();
    let sent = bench.queues[RX].chain().writable(8).send();
    bench.queues[RX].kick();
    assert_eq!(bench.queues[RX].wait(5 * SECOND).unwrap().len, 0);
    let used = bench.queues[RX].wait(5 * SECOND).unwrap();
    assert_eq!(bench.queues[RX].reply(&sent, used).bytes[0], b'x');
}

#[test]
fn end_of_the_input_is_not_the_end_of_the_console() {
    let (_device, mut bench, mut host) = started(0);
    host.shutdown(std::net::Shutdown::Write).unwrap();
    bench.queues[RX].chain().writable(8).send();
    bench.queues[RX].kick();
    bench.queues[TX].chain().readable(b"still here").send();
    bench.queues[TX].kick();
    assert_eq!(heard(&mut host, 10), b"still here");
    assert_eq!(bench.queues[RX].poll(), None);
}

#[test]
fn host_that_takes_nothing_holds_up_neither_stop_nor_memory() {
    let (mut device, mut bench, host) = started(0);
    let page = [0; 16 << 10];
    // More than a socket takes: what does not fit is lost.
    for _ in 0..40 {
        bench.queues[TX].chain().readable(&page).send();
        bench.queues[TX].kick();
        if bench.queues[TX].wait(SECOND / 10).is_none() {
            break;
        }
    }
    let begun = Instant::now();
    device.reset();
    assert!(begun.elapsed() < 5 * SECOND, "{:?}", begun.elapsed());
    drop(host);
}

#[test]
fn after_a_stop_no_byte_is_waited_for() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let mut ends = ConsoleEnds { input: None, output: ours.into() };
    let stop = Stop::new().unwrap();
    stop.ask();
    ends.send(b"late", &stop);
    drop(ends);
    assert_eq!(theirs.read(&mut [0; 8]).unwrap(), 0);
}

#[test]
fn bad_chain_asks_for_a_reset_and_after_it_all_works_again() {
    let (mut device, mut bench, mut host) = started(0);
    bench.queues[RX].raw(0, RawDesc { addr: u64::MAX, len: 16, flags: RawDesc::WRITE, next: 0 });
    bench.queues[RX].publish(0);
    bench.queues[RX].kick();
    assert!(bench.interrupt.wait_needs_reset(5 * SECOND));
    device.reset();
    let mut again = Bench::new(ram(1 << 20), &device, 0);
    device.activate(again.activation()).unwrap();
    again.queues[TX].chain().readable(b"again").send();
    again.queues[TX].kick();
    assert_eq!(heard(&mut host, 5), b"again");
    host.write_all(b"in").unwrap();
    assert_eq!(again.queues[RX].request(&[], 8).unwrap().len, 2);
}

#[test]
fn behind_an_iommu_it_reaches_what_is_mapped_and_nothing_else() {
    let behind = Behind::mapped(1 << 20);
    let (mut device, mut host) = console();
    let mut bench = Bench::behind(&behind, &device, 0);
    device.activate(bench.activation()).unwrap();
    bench.queues[TX].chain().readable(b"mapped").send();
    bench.queues[TX].kick();
    assert_eq!(heard(&mut host, 6), b"mapped");
    // Buffers that are not mapped: nothing goes out, what came in is lost, both come back, and faults are told.
    bench.queues[TX].chain().part(0x10, 16, false).send();
    bench.queues[TX].kick();
    assert!(bench.queues[TX].wait(5 * SECOND).is_some());
    assert!(bench.queues[TX].wait(5 * SECOND).is_some());
    bench.queues[RX].chain().part(0x20, 16, true).send();
    bench.queues[RX].kick();
    host.write_all(b"lost").unwrap();
    assert_eq!(bench.queues[RX].wait(5 * SECOND).unwrap().len, 0);
    let faults = behind.faults();
    assert!(faults.iter().any(|(address, _)| *address == 0x10), "{faults:x?}");
    assert!(faults.iter().any(|(address, _)| *address == 0x20), "{faults:x?}");
    bench.queues[TX].chain().readable(b"after").send();
    bench.queues[TX].kick();
    assert_eq!(heard(&mut host, 5), b"after");
}
