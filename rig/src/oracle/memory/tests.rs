//! Writes that were foreseen, and one that was not.

use base::GuestRam;
use data_model::Span;
use vm_memory::{Bytes, GuestAddress};

use super::Memory;
use crate::random::Random;

const AT: u64 = 0x4000_0000;

#[test]
fn a_write_shows_unless_it_was_foreseen_and_bytes_are_found_where_they_are() {
    let span = Span::from_len(AT, 0x4000).unwrap();
    let ram = GuestRam::new(&[span]).unwrap();
    let mut random = Random::new(3);
    let mut memory = Memory::new(&ram.mem, span, 512, &mut random).unwrap();
    memory.check().unwrap();

    let data = random.bytes(512);
    ram.mem.write_slice(&data, GuestAddress(AT + 0x1200)).unwrap();
    assert!(memory.check().unwrap_err().to_string().contains("0x40001200"));
    assert_eq!(memory.find(&data), None);
    memory.foresee(AT + 0x1200, &data).unwrap();
    memory.check().unwrap();
    assert_eq!((memory.find(&data), memory.sector(AT + 0x1200).unwrap()), (Some(AT + 0x1200), &data[..]));

    memory.renew(AT + 0x1200, &mut random).unwrap();
    assert_eq!(memory.find(&data), None);
    memory.check().unwrap();
    for outside in [AT - 512, AT + 0x4000, AT + 8] {
        assert!(memory.foresee(outside, &data).is_err(), "{outside:#x}");
    }
}
