use std::sync::atomic::Ordering;

use base::GuestMem;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use virtio_queue::{Queue, QueueT};
use vm_memory::{Bytes, GuestAddress};

use super::{Descriptor, DirectRing};

const SIZE: u16 = 8;
/// The parts of the ring; what descriptors name lies anywhere from there on.
const TABLE: u64 = 0x1000;
const AVAILABLE: u64 = 0x1100;
const USED: u64 = 0x1200;
const FREE: u64 = 0x1300;
/// Two regions without a gap, and the end of the second.
const BORDER: u64 = 0x2000;
const END: u64 = 0x3000;

fn memory() -> GuestMem {
    let regions = [(GuestAddress(0), BORDER as usize), (GuestAddress(BORDER), (END - BORDER) as usize)];
    GuestMem::from_ranges(&regions).unwrap()
}

/// A queue at these places, of which as many chains have been taken as given back.
fn queue_at((table, available, used): (u64, u64, u64), event_idx: bool, done: u16) -> Queue {
    let mut queue = Queue::new(SIZE).unwrap();
    queue.try_set_desc_table_address(GuestAddress(table)).unwrap();
    queue.try_set_avail_ring_address(GuestAddress(available)).unwrap();
    queue.try_set_used_ring_address(GuestAddress(used)).unwrap();
    queue.set_event_idx(event_idx);
    queue.set_next_avail(done);
    queue.set_next_used(done);
    queue.set_ready(true);
    queue
}

fn queue(event_idx: bool, done: u16) -> Queue {
    queue_at((TABLE, AVAILABLE, USED), event_idx, done)
}

/// Address, length, flags, next.
type Raw = (u64, u32, u16, u16);

fn write(mem: &GuestMem, at: u64, descriptors: &[Raw]) {
    for (n, (address, len, flags, next)) in descriptors.iter().enumerate() {
        let high = u64::from(*len) | u64::from(*flags) << 32 | u64::from(*next) << 48;
        let at = at + 16 * n as u64;
        // What lies behind the end is nobody's.
        let _ = mem.write_obj([address.to_le(), high.to_le()], GuestAddress(at));
    }
}

fn descriptor() -> impl Strategy<Value = Raw> {
    let address = prop_oneof![FREE..END, Just(BORDER - 8), Just(u64::MAX - 7)];
    let len = prop_oneof![select(vec![0, 4, 80, 1 << 31, u32::MAX]), 0u32..100];
    // Most of them go on.
    (address, len, select(vec![0, 1, 1, 1, 2, 3, 3]), 0..SIZE + 2)
}

/// What there is to compare of a descriptor.
type Seen = Vec<(u64, u32, bool)>;

fn ours(chain: impl Iterator<Item = Descriptor>) -> Seen {
    chain.map(|it| (it.address.0, it.len, it.is_writable())).collect()
}

/// The used ring as it stands in memory.
fn used(mem: &GuestMem) -> Vec<u8> {
    let mut bytes = vec![0; 6 + 8 * usize::from(SIZE)];
    mem.read_slice(&mut bytes, GuestAddress(USED)).unwrap();
    bytes
}

/// Chains that wait by the driver's index, however many.
fn ahead(queue: &Queue, mem: &GuestMem) -> u16 {
    queue.avail_idx(mem, Ordering::Acquire).unwrap().0.wrapping_sub(queue.next_avail())
}

proptest! {
    #[test]
    fn a_chain_is_read_as_one_reads_it_that_looks_each_descriptor_up(
        table in vec(descriptor(), SIZE as usize),
        head in 0..SIZE + 2,
    ) {
        let mem = memory();
        write(&mem, TABLE, &table);
        mem.write_obj([0u16, 1u16.to_le(), head.to_le()], GuestAddress(AVAILABLE)).unwrap();

        let (mut reference, queue) = (queue(false, 0), queue(false, 0));
        let chain = reference.pop_descriptor_chain(&mem).unwrap();
        let expected: Seen = chain.map(|it| (it.addr().0, it.len(), it.is_write_only())).collect();

        let mut ring = DirectRing::new(&queue, &mem).unwrap();
        prop_assert_eq!(ring.waiting(), Some(1));
        prop_assert_eq!(ring.take(), Some(head));
        prop_assert_eq!(ours(ring.chain(head)), expected);
        prop_assert_eq!(ring.waiting(), Some(0));
    }

    #[test]
    fn rings_and_indexes_are_kept_as_one_keeps_them_that_looks_each_entry_up(
        done in select(vec![0, 5, u16::MAX - 2]),
        event_idx in any::<bool>(),
        steps in vec((0..6u8, 0..SIZE + 2, 0u16..20), 1..60),
    ) {
        let (mem, reference_mem) = (memory(), memory());
        let (queue, mut reference) = (queue(event_idx, done), queue(event_idx, done));
        let mut ring = DirectRing::new(&queue, &mem).unwrap();
        for (step, head, number) in steps {
            // What the driver does, it does in both.
            let driver = |at: u64, value: u16| {
                for mem in [&mem, &reference_mem] {
                    mem.write_obj(value.to_le(), GuestAddress(at)).unwrap();
                }
            };
            match step {
                0 => driver(AVAILABLE + 2, reference.next_avail().wrapping_add(number % (SIZE + 3))),
                1 => {
                    let near = reference.next_used().wrapping_sub(3).wrapping_add(number % 6);
                    driver(AVAILABLE + 4 + 2 * u64::from(SIZE), near);
                }
                2 => {
                    driver(AVAILABLE + 4 + 2 * u64::from(reference.next_avail() % SIZE), head);
                    let waiting = ahead(&reference, &reference_mem);
                    prop_assert_eq!(ring.waiting(), (waiting <= SIZE).then_some(waiting));
                    if (1..=SIZE).contains(&waiting) {
                        let chain = reference.pop_descriptor_chain(&reference_mem).unwrap();
                        prop_assert_eq!(ring.take(), Some(chain.head_index()));
                    }
                }
                3 => prop_assert_eq!(
                    ring.give_back(head, number.into()).is_some(),
                    reference.add_used(&reference_mem, head, number.into()).is_ok()
                ),
                4 if event_idx => {
                    let wanted = reference.needs_notification(&reference_mem).ok();
                    prop_assert_eq!(ring.interrupt_wanted(), wanted);
                }
                5 if number % 2 == 0 => {
                    let more = reference.enable_notification(&reference_mem).ok();
                    prop_assert_eq!(ring.ask_for_kicks(), more);
                }
                5 => {
                    let done = reference.disable_notification(&reference_mem).ok();
                    prop_assert_eq!(ring.suppress_kicks(), done);
                }
                _ => {}
            }
            prop_assert_eq!(used(&mem), used(&reference_mem));
        }
    }
}

#[test]
fn a_chain_ends_before_a_table_of_its_own_which_is_not_offered() {
    const INDIRECT: u16 = 4;
    let mem = memory();
    write(&mem, FREE, &[(FREE + 0x100, 36, 1, 1), (FREE + 0x200, 4, 2, 0)]);
    for (table, pieces) in [
        (vec![(FREE, 32, INDIRECT, 0)], 0),
        (vec![(FREE, 32, INDIRECT | 1, 1), (FREE + 0x200, 4, 2, 0)], 0),
        (vec![(FREE + 0x100, 36, 1, 1), (FREE, 16, INDIRECT, 0)], 1),
    ] {
        write(&mem, TABLE, &table);
        let ring = DirectRing::new(&queue(false, 0), &mem).unwrap();
        assert_eq!(ours(ring.chain(0)).len(), pieces, "{table:x?}");
    }
}

#[test]
fn without_event_indexes_the_driver_says_by_a_flag_whether_it_wants_interrupts() {
    let mem = memory();
    let queue = queue(false, 0);
    let mut ring = DirectRing::new(&queue, &mem).unwrap();
    for (flags, wanted) in [(0u16, true), (1, false), (2, true), (3, false)] {
        mem.write_obj(flags.to_le(), GuestAddress(AVAILABLE)).unwrap();
        ring.give_back(1, 4).unwrap();
        assert_eq!(ring.interrupt_wanted(), Some(wanted), "flags {flags}");
    }
}

#[test]
fn a_ring_is_there_when_each_part_lies_in_one_piece_of_ram() {
    let mem = memory();
    let (table, available, used) = (16 * u64::from(SIZE), 6 + 2 * u64::from(SIZE), 6 + 8 * u64::from(SIZE));
    let whole = |at: u64, len: u64| at + len <= BORDER || (at >= BORDER && at + len <= END);
    for (part, len, align) in [(0, table, 16), (1, available, 2), (2, used, 4)] {
        for near in [BORDER, END] {
            let first = (near - len) / align * align - align;
            for at in (first..near + align).step_by(align as usize) {
                let mut places = [TABLE, AVAILABLE, USED];
                places[part] = at;
                let queue = queue_at((places[0], places[1], places[2]), true, 0);
                let there = DirectRing::new(&queue, &mem).is_some();
                assert_eq!(there, whole(at, len), "part {part} at {at:#x}");
            }
        }
    }
}
