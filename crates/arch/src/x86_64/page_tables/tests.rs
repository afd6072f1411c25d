use super::*;

/// Walks the tables as the processor does.
fn translate(tables: &[u8], address: u64) -> Option<u64> {
    let entry = |table: u64, index: u64| {
        let at = (table - ADDRESS + index * 8) as usize;
        u64::from_le_bytes(tables[at..at + 8].try_into().unwrap())
    };
    let mut table = ADDRESS;
    for shift in [39, 30, 21] {
        let found = entry(table, address >> shift & 511);
        if found & 1 == 0 {
            return None;
        }
        let target = found & 0x000f_ffff_ffff_f000;
        if shift == 21 {
            assert_ne!(found & LARGE, 0);
            return Some(target | (address & 0x1f_ffff));
        }
        table = target;
    }
    None
}

#[test]
fn the_first_4_gib_are_one_to_one() {
    let tables = bytes();
    for address in [0, 0x7000, 0x10_0000, 0x3fff_ffff, 0x4000_0000, 0xe000_1234, 0xffff_ffff] {
        assert_eq!(translate(&tables, address), Some(address));
    }
    for address in [0x1_0000_0000, 0x80_0000_0000] {
        assert_eq!(translate(&tables, address), None);
    }
}
