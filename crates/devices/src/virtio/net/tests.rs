use std::os::unix::net::UnixDatagram;
use std::time::Instant;

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
    (Net::new(ours.into(), MAC), wire)
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
