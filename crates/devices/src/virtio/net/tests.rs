use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;
use std::time::Instant;

use sync::Mutex;

use super::*;
use crate::virtio::testkit::{Behind, Bench, RawDesc, SECOND, ram};

const RX: usize = 0;
const TX: usize = 1;
const MAC: [u8; 6] = [2, 0, 0, 0, 0, 7];

/// A card whose wire is a socket that keeps packets apart, as a tap does.
fn card() -> (Net, UnixDatagram) {
    let (ours, wire) = UnixDatagram::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    wire.set_read_timeout(Some(5 * SECOND)).unwrap();
    (Net::new(vec![ours.into()], MAC, Arc::new(|_, _| panic!("one queue is never switched"))), wire)
}

fn started(features: u64) -> (Net, Bench, UnixDatagram) {
    let (mut device, wire) = card();
    let bench = Bench::new(ram(1 << 20), &device, features);
    device.activate(bench.activation()).unwrap();
    (device, bench, wire)
}

fn packet(len: usize, fill: u8) -> Vec<u8> {
    let mut bytes = vec![fill; len];
    bytes[..NET_HEADER].fill(0);
    bytes
}

/// A card with several pairs, their wires, and which queues of the tap device are in use, as the card has said.
fn several(pairs: usize) -> (Net, Vec<UnixDatagram>, Arc<Mutex<Vec<bool>>>) {
    let (mut ours, mut wires) = (Vec::new(), Vec::new());
    for _ in 0..pairs {
        let (one, wire) = UnixDatagram::pair().unwrap();
        one.set_nonblocking(true).unwrap();
        wire.set_read_timeout(Some(5 * SECOND)).unwrap();
        ours.push(OwnedFd::from(one));
        wires.push(wire);
    }
    let numbers: Vec<_> = ours.iter().map(AsRawFd::as_raw_fd).collect();
    let used = Arc::new(Mutex::new(vec![true; pairs]));
    let seen = used.clone();
    let switch: TapSwitch = Arc::new(move |tap, on| {
        let at = numbers.iter().position(|number| *number == tap.as_raw_fd()).unwrap();
        let was = std::mem::replace(&mut seen.lock()[at], on);
        if was == on { Err(io::ErrorKind::InvalidInput.into()) } else { Ok(()) }
    });
    (Net::new(ours, MAC, switch), wires, used)
}

/// Says on the control queue `bench.queues[at]` how many pairs are used; the answer.
fn set_pairs(bench: &mut Bench, at: usize, count: u16) -> u8 {
    let [low, high] = count.to_le_bytes();
    let reply = bench.queues[at].request(&[4, 0, low, high], 1).unwrap();
    assert_eq!(reply.len, 1);
    reply.bytes[0]
}

const SEVERAL: u64 = MQ | CONTROL;

#[test]
fn several_pairs_are_offered_with_a_control_queue_and_one_is_not() {
    let mut bytes = [0xff; 10];
    let (one, _wire) = card();
    assert_eq!((one.features() & SEVERAL, one.queue_sizes()), (0, &[256, 256][..]));
    let (three, _wires, _used) = several(3);
    assert_eq!(three.features() & SEVERAL, SEVERAL);
    assert_eq!(three.queue_sizes(), [256, 256, 256, 256, 256, 256, 16]);
    three.config_read(0, &mut bytes);
    assert_eq!(bytes, [2, 0, 0, 0, 0, 7, 0, 0, 3, 0]);
}

#[test]
fn each_pair_carries_its_own_packets_both_ways() {
    let (mut device, wires, _used) = several(3);
    let mut bench = Bench::new(ram(2 << 20), &device, SEVERAL);
    device.activate(bench.activation()).unwrap();
    assert_eq!(set_pairs(&mut bench, 6, 3), 0);
    for (pair, wire) in wires.iter().enumerate() {
        let (rx, tx) = (2 * pair, 2 * pair + 1);
        let sent = packet(NET_HEADER + 60 + pair, pair as u8);
        bench.queues[tx].chain().readable(&sent).send();
        bench.queues[tx].kick();
        let mut got = [0; 4096];
        let count = wire.recv(&mut got).unwrap();
        assert!(got[..count] == sent, "pair {pair}");
        assert!(bench.queues[tx].wait(5 * SECOND).is_some());
        wire.send(&packet(NET_HEADER + 100 + pair, 9)).unwrap();
        let reply = bench.queues[rx].request(&[], 1526).unwrap();
        assert_eq!(reply.len as usize, NET_HEADER + 100 + pair);
        assert!(bench.interrupt.wait_queue(rx as u16, 1, 5 * SECOND), "pair {pair}");
    }
}

#[test]
fn tap_has_as_many_queues_in_use_as_the_driver_says() {
    let (mut device, _wires, used) = several(4);
    let mut bench = Bench::new(ram(4 << 20), &device, SEVERAL);
    device.activate(bench.activation()).unwrap();
    assert_eq!(*used.lock(), [true, false, false, false], "until the driver says more");
    // Zero, more than there are, and the same again.
    for (count, answer, left) in [(3, 0, 3), (0, 1, 3), (5, 1, 3), (3, 0, 3), (4, 0, 4), (2, 0, 2), (1, 0, 1)]
    {
        assert_eq!(set_pairs(&mut bench, 8, count), answer, "{count}");
        assert_eq!(used.lock().iter().filter(|used| **used).count(), left, "{count}");
    }
    assert_eq!(set_pairs(&mut bench, 8, 4), 0);
    device.reset();
    assert_eq!(*used.lock(), [true, false, false, false], "after a reset");
}

#[test]
fn tap_that_cannot_be_switched_is_an_error_to_the_driver() {
    let (mut device, _wires, used) = several(2);
    let mut bench = Bench::new(ram(2 << 20), &device, SEVERAL);
    device.activate(bench.activation()).unwrap();
    used.lock()[1] = true;
    assert_eq!(set_pairs(&mut bench, 4, 2), 1);
}

#[test]
fn driver_without_several_pairs_has_the_control_queue_behind_the_first() {
    let (mut device, wires, used) = several(2);
    let mut bench = Bench::new(ram(2 << 20), &device, CONTROL);
    device.activate(bench.activation()).unwrap();
    assert_eq!(set_pairs(&mut bench, 2, 2), 1, "not agreed on");
    assert_eq!(*used.lock(), [true, false]);
    wires[0].send(&packet(NET_HEADER + 60, 1)).unwrap();
    assert_eq!(bench.queues[RX].request(&[], 1526).unwrap().len as usize, NET_HEADER + 60);
}

#[test]
fn configuration_holds_the_address_and_zeros() {
    let (device, _wire) = card();
    let mut bytes = [0xff; 10];
    device.config_read(0, &mut bytes);
    assert_eq!(bytes, [2, 0, 0, 0, 0, 7, 0, 0, 0, 0]);
    let mut part = [0xff; 2];
    device.config_read(5, &mut part);
    assert_eq!(part, [7, 0]);
    device.config_read(u64::MAX, &mut part);
    assert_eq!(part, [0, 0]);
}

#[test]
fn packets_of_the_guest_go_out_one_by_one_with_their_headers() {
    for features in [0, F_EVENT_IDX, F_EVENT_IDX | F_INDIRECT_DESC] {
        let (_device, mut bench, wire) = started(features);
        for (len, fill) in [(NET_HEADER + 60, 1), (NET_HEADER + 1514, 2), (LONGEST, 3)] {
            let sent = packet(len, fill);
            bench.queues[TX].chain().readable_in_pieces(&sent, 30_000).send();
            bench.queues[TX].kick();
            let mut got = vec![0; 2 * LONGEST];
            let count = wire.recv(&mut got).unwrap();
            assert!(got[..count] == sent, "{len}: {count} bytes");
            assert_eq!(bench.queues[TX].wait(5 * SECOND).unwrap().len, 0);
        }
    }
}

#[test]
fn packet_that_is_too_long_is_lost_and_the_next_is_not() {
    let (_device, mut bench, wire) = started(0);
    for len in [LONGEST + 1, NET_HEADER + 60] {
        bench.queues[TX].chain().readable_in_pieces(&packet(len, 5), 60_000).send();
        bench.queues[TX].kick();
        assert!(bench.queues[TX].wait(5 * SECOND).is_some(), "{len}");
    }
    let mut got = vec![0; 2 * LONGEST];
    assert_eq!(wire.recv(&mut got).unwrap(), NET_HEADER + 60);
}

#[test]
fn packets_from_the_wire_come_in_with_one_buffer_each() {
    let (_device, mut bench, wire) = started(F_EVENT_IDX);
    for (len, fill) in [(NET_HEADER + 60, 1), (NET_HEADER + 1514, 2)] {
        wire.send(&packet(len, fill)).unwrap();
        let reply = bench.queues[RX].request(&[], 1526).unwrap();
        let mut expected = packet(len, fill);
        expected[NUM_BUFFERS].copy_from_slice(&[1, 0]);
        assert!(reply.bytes[..reply.len as usize] == expected, "{len}");
    }
    assert!(bench.interrupt.wait_queue(RX as u16, 1, 5 * SECOND));
}

#[test]
fn packet_that_does_not_fit_or_is_no_packet_is_lost_and_its_buffer_takes_the_next() {
    let (_device, mut bench, wire) = started(0);
    for len in [NET_HEADER + 2000, NET_HEADER - 1, NET_HEADER + 60] {
        wire.send(&vec![0; len]).unwrap();
    }
    let reply = bench.queues[RX].request(&[], 1526).unwrap();
    assert_eq!(reply.len as usize, NET_HEADER + 60);
    assert_eq!(bench.queues[RX].poll(), None);
}

#[test]
fn flood_without_buffers_costs_nothing_and_does_not_hold_up_the_other_way_or_a_stop() {
    let (mut device, mut bench, wire) = started(0);
    wire.set_nonblocking(true).unwrap();
    while wire.send(&packet(NET_HEADER + 1000, 9)).is_ok() {}
    wire.set_nonblocking(false).unwrap();
    bench.queues[TX].chain().readable(&packet(NET_HEADER + 60, 4)).send();
    bench.queues[TX].kick();
    assert_eq!(wire.recv(&mut [0; 4096]).unwrap(), NET_HEADER + 60);
    let begun = Instant::now();
    device.reset();
    assert!(begun.elapsed() < SECOND);
}

#[test]
fn bad_chain_asks_for_a_reset_and_after_it_all_works_again() {
    let (mut device, mut bench, wire) = started(0);
    bench.queues[TX].raw(0, RawDesc { addr: u64::MAX, len: 16, flags: 0, next: 0 });
    bench.queues[TX].publish(0);
    bench.queues[TX].kick();
    assert!(bench.interrupt.wait_needs_reset(5 * SECOND));
    device.reset();
    let mut again = Bench::new(ram(1 << 20), &device, 0);
    device.activate(again.activation()).unwrap();
    wire.send(&packet(NET_HEADER + 60, 1)).unwrap();
    assert_eq!(again.queues[RX].request(&[], 1526).unwrap().len as usize, NET_HEADER + 60);
}

#[test]
fn behind_an_iommu_a_packet_that_is_not_mapped_is_not_sent_in_part() {
    let behind = Behind::mapped(1 << 20);
    let (mut device, wire) = card();
    let mut bench = Bench::behind(&behind, &device, 0);
    device.activate(bench.activation()).unwrap();
    bench.queues[TX].chain().readable(&packet(NET_HEADER + 8, 1)).part(0x10, 16, false).send();
    bench.queues[TX].chain().readable(&packet(NET_HEADER + 60, 2)).send();
    bench.queues[TX].kick();
    assert_eq!(wire.recv(&mut [0; 4096]).unwrap(), NET_HEADER + 60);
    let faults = behind.faults();
    assert!(faults.iter().any(|(address, _)| *address == 0x10), "{faults:x?}");
}
