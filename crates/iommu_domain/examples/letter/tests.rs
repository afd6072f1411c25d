//! The story's facts.

use super::story::{DOORBELL, tell};

/// What each chapter must say; the numbers are worked out by hand.
const FACTS: &[(&str, &[&str])] = &[
    (
        "1. ",
        &[
            // The highest hole below 4 GiB for a device of 32 bits: RAM ends at 0xbfffffff.
            "0x00fffff000-0x00ffffffff    4 KiB  doorbell → 0x8090000, for device 1",
            "0x0040000000-0x00bfffffff    2 GiB  slot     → guest memory at 0x0, rw",
            "write 0x2a to 0xfffff040 instead of 0x8090040",
            "takes that write to 0x8090040",
        ],
    ),
    (
        "2. ",
        &[
            "EEXIST: a doorbell page is at 0xfffff000",
            "still works (Doorbell { phys: 8090040 })",
            "0x0-0x1ffffffff (8 GiB)",
        ],
    ),
    ("3. ", &["very first mapping, 0xfffff000, fails", "EEXIST: a doorbell page is at 0xfffff000"]),
    (
        "4. ",
        &[
            "0x0008000000-0x00080fffff    1 MiB  window   kept for doorbells",
            "0x00080ff000-0x00080fffff    4 KiB  doorbell → 0x8090000, for device 1",
            "Message: 0x80ff040",
            "    0x0-0x7ffffff\n    0x8100000-0x1ffffffff\n",
            "EINVAL: the window 0x8000000-0x80fffff is kept for doorbells",
            "all of it at once",
        ],
    ),
    (
        "5. ",
        &[
            "0x0008000000-0x0008000fff    4 KiB  doorbell → 0x8090000, for device 1",
            "0x0008001000-0x0008001fff    4 KiB  doorbell → 0x80b0000, for device 1",
            "doorbell 257 gets 0x8100000",
        ],
    ),
];

#[test]
fn the_story_is_true() {
    assert_eq!(DOORBELL, 0x0809_0040);
    let story = tell().unwrap();
    let mut rest = story.as_str();
    for (at, (number, facts)) in FACTS.iter().enumerate() {
        let (_, from) = rest.split_once(number).unwrap();
        let chapter = FACTS.get(at + 1).map_or(from, |(next, _)| from.split_once(next).unwrap().0);
        for fact in *facts {
            assert!(chapter.contains(fact), "chapter {number}does not say {fact:?}:\n{chapter}");
        }
        rest = from;
    }
}
