use base::GuestMem;
use vm_memory::{Bytes, GuestAddress, GuestMemoryBackend};

use super::Ram;

/// Two regions side by side, and one apart.
const REGIONS: [(u64, usize); 3] = [(0x1000, 0x1000), (0x2000, 0x1000), (0x8000, 0x1000)];

#[test]
fn what_was_found_last_changes_no_answer() {
    let mem = GuestMem::from_ranges(&REGIONS.map(|(at, len)| (GuestAddress(at), len))).unwrap();
    let edges = REGIONS.iter().flat_map(|(at, len)| [*at, at + *len as u64]);
    let mut places: Vec<u64> = edges.flat_map(|edge| [edge - 8, edge - 1, edge, edge + 8]).collect();
    places.extend([0, 0x1800, 0x8800, u64::MAX - 3, u64::MAX]);
    for before in &places {
        for at in &places {
            for len in [1, 4, 8, 0x1000, 0x1001, usize::MAX] {
                let ram = Ram::new(&mem);
                ram.slice(GuestAddress(*before), 1);
                let found = ram.slice(GuestAddress(*at), len);
                let wanted = mem.get_slice(GuestAddress(*at), len).ok();
                let place = |slice: vm_memory::VolatileSlice| (slice.ptr_guard().as_ptr(), slice.len());
                assert_eq!(found.map(place), wanted.map(place), "{len} bytes at {at:#x} after {before:#x}");
            }
        }
    }
}

#[test]
fn what_is_found_is_the_guests_own_memory() {
    let mem = GuestMem::from_ranges(&[(GuestAddress(0), 0x1000)]).unwrap();
    let ram = Ram::new(&mem);
    for at in [0x10, 0x20] {
        ram.slice(GuestAddress(at), 4).unwrap().write_slice(&[1, 2, 3, 4], 0).unwrap();
        assert_eq!(mem.read_obj::<[u8; 4]>(GuestAddress(at)).unwrap(), [1, 2, 3, 4]);
    }
}
