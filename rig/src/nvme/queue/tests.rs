//! The rings against a controller that is played here.

use base::{GuestMem, GuestRam};
use data_model::Span;
use vm_memory::{Bytes, GuestAddress};

use super::{DEPTH, Queue};
use crate::nvme::Direction;
use crate::nvme::command::Command;

const AT: u64 = 0x10_0000;

fn answer(memory: &GuestMem, place: u16, phase: u16, status: u16) {
    let word = u32::from(status << 1 | phase) << 16;
    memory.write_obj(word, GuestAddress(AT + 0x1000 + 16 * u64::from(place) + 12)).unwrap();
}

#[test]
fn a_command_lies_where_its_number_says_with_its_address_and_block() {
    let ram = GuestRam::new(&[Span::from_len(AT, 0x2000).unwrap()]).unwrap();
    let mut queue = Queue::new(1, AT);
    for block in [7, 9] {
        queue.submit(&ram.mem, Command::transfer(Direction::FromMemory, block, 0xabc0_0000)).unwrap();
    }
    let mut second = [0; 64];
    ram.mem.read_slice(&mut second, GuestAddress(AT + 64)).unwrap();
    assert_eq!((second[0], second[2], second[4], second[40]), (1, 1, 1, 9));
    assert_eq!(second[24..32], 0xabc0_0000u64.to_le_bytes());
}

#[test]
fn answers_are_taken_once_each_also_after_the_ring_has_wrapped() {
    let ram = GuestRam::new(&[Span::from_len(AT, 0x2000).unwrap()]).unwrap();
    let mut queue = Queue::new(1, AT);
    for number in 0..2 * DEPTH {
        assert_eq!(queue.take(&ram.mem).unwrap(), None, "{number}");
        answer(&ram.mem, number % DEPTH, 1 - number / DEPTH, number);
        assert_eq!(queue.take(&ram.mem).unwrap(), Some(number), "{number}");
    }
}
