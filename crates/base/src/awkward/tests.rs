use std::fs::File;

use crate::MappedRegion;

#[test]
fn memory_is_read_by_any_instruction_and_nothing_beyond_it() {
    let zero = File::open("/dev/zero").unwrap();
    let region = MappedRegion::new(zero, 0, 4096, false).unwrap();
    for (offset, good) in
        [(0, true), (4080, true), (8, false), (4088, false), (4096, false), (usize::MAX - 15, false)]
    {
        assert_eq!(region.read_awkwardly(offset).is_ok(), good, "{offset:#x}");
    }
}
