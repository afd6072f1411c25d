use proptest::prelude::*;

use super::*;
use crate::virtio::testkit::{DriverQueue, RawDesc, SECOND, ram};

const N: u16 = RawDesc::NEXT;
const W: u16 = RawDesc::WRITE;
const I: u16 = RawDesc::INDIRECT;
const RAM: u64 = 1 << 20;

fn pair(features: u64) -> (DriverQueue, Ring) {
    let mem = ram(RAM);
    let driver = DriverQueue::new(mem.clone(), 0x1000, 0x2_0000, 8, features & F_EVENT_IDX != 0);
    let (ring, _kick) = Ring::new(driver.handle(), mem.into(), features);
    (driver, ring)
}

fn desc(addr: u64, len: u32, flags: u16, next: u16) -> RawDesc {
    RawDesc { addr, len, flags, next }
}

#[test]
fn a_request_is_read_and_answered_across_its_pieces() {
    for features in [0, F_EVENT_IDX, F_INDIRECT_DESC, F_EVENT_IDX | F_INDIRECT_DESC] {
        let (mut driver, mut ring) = pair(features);
        let request: Vec<u8> = (0..50).collect();
        let chain = driver.chain().readable_in_pieces(&request, 20).writable_in_pieces(20, 7);
        let sent = if features & F_INDIRECT_DESC != 0 { chain.indirect().send() } else { chain.send() };
        let chain = ring.pop().unwrap().unwrap();
        assert_eq!((chain.head(), chain.readable_len(), chain.writable_len()), (sent.head, 50, 20));
        let mut data = [0; 64];
        assert_eq!(chain.read(ring.mem(), 0, &mut data).unwrap(), 50);
        assert_eq!(data[..50], request);
        assert_eq!(chain.write(ring.mem(), 5, &[7; 10]).unwrap(), 10);
        assert_eq!(chain.write(ring.mem(), 18, &[8; 10]).unwrap(), 2, "only two bytes are left");
        assert_eq!(chain.write(ring.mem(), 20, &[8; 10]).unwrap(), 0);
        ring.push(chain.head(), 20).unwrap();
        assert_eq!(ring.pop(), Ok(None));
        let used = driver.wait(SECOND).unwrap();
        let bytes = driver.reply(&sent, used).bytes;
        assert_eq!(bytes, [&[0xa5; 5][..], &[7; 10], &[0xa5; 3], &[8; 2]].concat());
    }
}

#[test]
fn chains_that_break_a_rule_are_named() {
    struct Case {
        why: &'static str,
        table: &'static [RawDesc],
        indirect: &'static [RawDesc],
    }
    const GOOD: RawDesc = RawDesc { addr: 0x8000, len: 16, flags: 0, next: 0 };
    const fn d(addr: u64, len: u32, flags: u16, next: u16) -> RawDesc {
        RawDesc { addr, len, flags, next }
    }
    const CASES: &[Case] = &[
        Case { why: "it has a loop", table: &[d(0x8000, 1, N, 0)], indirect: &[] },
        Case { why: "it has a loop", table: &[d(0x8000, 1, N, 1), d(0x8000, 1, N, 0)], indirect: &[] },
        Case { why: "a descriptor lies outside its table", table: &[d(0x8000, 1, N, 8)], indirect: &[] },
        Case { why: "a buffer is not in guest memory", table: &[d(RAM - 8, 16, 0, 0)], indirect: &[] },
        Case { why: "a buffer is not in guest memory", table: &[d(u64::MAX, 16, W, 0)], indirect: &[] },
        Case {
            why: "a readable buffer behind a writable one",
            table: &[d(0x8000, 16, W | N, 1), GOOD],
            indirect: &[],
        },
        Case {
            why: "an indirect table with a successor",
            table: &[d(0x9000, 16, I | N, 1)],
            indirect: &[GOOD],
        },
        Case { why: "an indirect table of odd size", table: &[d(0x9000, 0, I, 0)], indirect: &[GOOD] },
        Case { why: "an indirect table of odd size", table: &[d(0x9000, 17, I, 0)], indirect: &[GOOD] },
        Case {
            why: "an indirect table that is too long",
            table: &[d(0x9000, 16 * 1025, I, 0)],
            indirect: &[],
        },
        Case {
            why: "an indirect table inside another",
            table: &[d(0x9000, 16, I, 0)],
            indirect: &[d(0x9000, 16, I, 0)],
        },
        Case { why: "it has a loop", table: &[d(0x9000, 32, I, 0)], indirect: &[d(0x8000, 1, N, 0)] },
        Case {
            why: "a descriptor lies outside its table",
            table: &[d(u64::MAX - 7, 32, I, 0)],
            indirect: &[],
        },
    ];
    for case in CASES {
        let (mut driver, mut ring) = pair(F_INDIRECT_DESC);
        for (n, desc) in case.table.iter().enumerate() {
            driver.raw(n as u16, *desc);
        }
        for (n, desc) in case.indirect.iter().enumerate() {
            driver.raw_at(0x9000 + 16 * n as u64, *desc);
        }
        driver.publish(0);
        assert_eq!(ring.pop(), Err(RingError::Chain { head: 0, why: case.why }));
    }
}

#[test]
fn heads_and_indices_out_of_range_are_refused() {
    let (mut driver, mut ring) = pair(0);
    driver.publish(8);
    assert_eq!(ring.pop(), Err(RingError::Chain { head: 8, why: "a descriptor lies outside its table" }));
    for index in [9, 0x8000, 0xffff] {
        driver.set_avail_index(index);
        assert_eq!(ring.pop(), Err(RingError::Index { index }));
    }
}

#[test]
fn indirect_tables_need_to_be_negotiated() {
    let (mut driver, mut ring) = pair(0);
    driver.chain().readable(&[1]).indirect().send();
    let why = "indirect descriptors were not negotiated";
    assert!(matches!(ring.pop(), Err(RingError::Chain { why: told, .. }) if told == why));
}

#[test]
fn interrupts_come_when_the_driver_wants_them() {
    for (features, silence) in [(0, true), (0, false), (F_EVENT_IDX, true), (F_EVENT_IDX, false)] {
        let (mut driver, mut ring) = pair(features);
        match features {
            0 => driver.set_no_interrupt(silence),
            _ => driver.set_used_event(if silence { 100 } else { 0 }),
        }
        driver.chain().readable(&[1]).send();
        let chain = ring.pop().unwrap().unwrap();
        ring.push(chain.head(), 0).unwrap();
        assert_eq!(ring.interrupt_wanted(), Ok(!silence), "features {features:#x}");
    }
}

#[test]
fn a_chain_published_while_the_device_goes_to_sleep_is_seen() {
    for features in [0, F_EVENT_IDX] {
        let (mut driver, mut ring) = pair(features);
        ring.quiet().unwrap();
        driver.chain().readable(&[1]).send();
        assert!(ring.ask().unwrap(), "it came before the device asked for kicks");
        ring.pop().unwrap().unwrap();
        assert!(!ring.ask().unwrap());
        driver.chain().readable(&[1]).send();
        assert!(driver.kick_if_wanted(), "now the driver kicks");
    }
}

proptest! {
    #[test]
    fn any_table_is_walked_safely(
        table in proptest::collection::vec((any::<u64>(), any::<u32>(), any::<u16>(), any::<u16>()), 8),
        small in proptest::collection::vec((0u64..RAM, 0u32..4096, 0u16..8, 0u16..9), 8),
        pick in any::<u8>(),
        heads in proptest::collection::vec(0u16..10, 1..8),
    ) {
        let (mut driver, mut ring) = pair(F_INDIRECT_DESC | F_EVENT_IDX);
        for n in 0..8 {
            let (addr, len, flags, next) = if pick >> n & 1 == 0 { small[n] } else { table[n] };
            driver.raw(n as u16, desc(addr, len, flags, next));
        }
        for head in heads {
            driver.publish(head);
        }
        while let Ok(Some(chain)) = ring.pop() {
            let mut data = [0; 64];
            prop_assert!(chain.read(ring.mem(), 0, &mut data).is_ok());
        }
    }
}
