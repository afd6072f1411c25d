//! The faults of the letter's own code, each in words, and each excluded here.

use super::super::*;
use super::kit::*;

/// Pages or doorbells where each is looked for beside all others. Miri takes minutes for that.
const MANY: u64 = if cfg!(miri) { 16 } else { 256 };

/// There: the page table took a 2 MiB block over the 4 KiB page without complaint, freed the page's table, and interrupts
/// wrote into guest memory from then on. Nobody was told.
#[test]
fn a_a_block_over_a_doorbell_page_is_refused_and_the_page_still_translates() {
    let mut domain = seed();
    let iova = domain.msi_prepare(1, DOORBELL).unwrap();
    let page = iova & !(PAGE - 1);
    let block = page & !(2 * MIB - 1);
    let refused = map(&mut domain, block, 2 * MIB).unwrap_err();
    assert_eq!(refused, Failure { errno: Errno::Exist, reason: Reason::MsiPage { iova: page } });
    let to = domain.translate(1, iova, Access::Write);
    assert_eq!(to, Ok(Translation::Doorbell { phys: DOORBELL }));
    assert!(domain.state().slots.is_empty());
}

/// There: reserving a range that starts below the page widened the page's reservation; the refusal then freed it as its own,
/// and the next doorbell was given the first one's address, failed to map, and its message was poison.
#[test]
fn b_a_refused_map_from_below_a_page_releases_nothing() {
    let mut domain = seed();
    let first = domain.msi_prepare(1, DOORBELL).unwrap() & !(PAGE - 1);
    assert_eq!(errno(map(&mut domain, first - PAGE, 2 * PAGE)), Errno::Exist);
    let second = domain.msi_prepare(1, DOORBELL2).unwrap() & !(PAGE - 1);
    assert_ne!(first, second);
    assert_eq!(second, first - PAGE, "the highest hole, just below");
    for (iova, phys) in [(first, DOORBELL), (second, DOORBELL2)] {
        let to = domain.translate(1, iova | 0x40, Access::Write);
        assert_eq!(to, Ok(Translation::Doorbell { phys }));
    }
}

/// There: mapped in pieces and unmapped in one, only the first piece's reservation was freed. Holes shrank for ever.
#[test]
fn c_512_pages_mapped_one_by_one_and_unmapped_at_once_are_all_free() {
    const PAGES: u64 = 2 * MANY;
    let top = GIB4 - PAGES * PAGE;
    let mut domain = seed();
    for page in 0..PAGES {
        map(&mut domain, top + page * PAGE, PAGE).unwrap();
    }
    assert_eq!(unmap(&mut domain, top, PAGES * PAGE), Ok(PAGES * PAGE));
    for n in 0..PAGES {
        let iova = domain.msi_prepare(1, n * PAGE).unwrap();
        assert_eq!(iova, GIB4 - (n + 1) * PAGE, "all are holes again");
    }
}

/// There too, the other way round: an UNMAP shorter than the mapping freed the whole reservation while a part was mapped.
#[test]
fn c2_a_part_of_a_slot_cannot_be_unmapped() {
    let mut domain = seed();
    map(&mut domain, 0x1000, 4 * PAGE).unwrap();
    assert_eq!(errno(unmap(&mut domain, 0x1000, PAGE)), Errno::Inval);
    assert_eq!(domain.state().slots.at(0x1000).unwrap().span, of(0x1000, 4 * PAGE));
}

/// There: the page was looked up by doorbell only, so a 32-bit device that came second was sent above 4 GiB.
#[test]
fn d_a_32_bit_device_after_a_64_bit_one_gets_a_page_that_it_reaches() {
    let mut domain = with_device(Config::seed(of(0, 1 << 40)));
    domain.attach(narrow(2)).unwrap();
    let high = domain.msi_prepare(1, DOORBELL).unwrap();
    let low = domain.msi_prepare(2, DOORBELL).unwrap();
    assert_eq!(high, (1 << 40) - PAGE + 0x40);
    assert_eq!(low, GIB4 - PAGE + 0x40);
    assert_eq!(domain.compose(1, message(DOORBELL)).message.address, high);
    assert_eq!(domain.compose(2, message(DOORBELL)).message.address, low);
}

/// The other order needs one page only.
#[test]
fn d2_a_64_bit_device_after_a_32_bit_one_shares_its_page() {
    let mut domain = with_device(Config::seed(of(0, 1 << 40)));
    domain.attach(narrow(2)).unwrap();
    let low = domain.msi_prepare(2, DOORBELL);
    assert_eq!(domain.msi_prepare(1, DOORBELL), low);
    assert_eq!(domain.state().pages.len(), 1);
}

/// There: memory that is plugged in later, over a hole that had been taken silently, failed or broke interrupts; the user could
/// not have known. That is why the idea was given up. Told apart by a reason it can at least be understood…
#[test]
fn e_memory_over_the_hole_is_refused_with_the_reason() {
    let mut domain = seed();
    let page = domain.msi_prepare(1, DOORBELL).unwrap() & !(PAGE - 1);
    assert!(domain.ranges().iter().any(|range| range.contains(page)), "it was said to be free");
    let refused = map(&mut domain, GIB4 - MIB, MIB).unwrap_err();
    assert_eq!((refused.errno, refused.reason), (Errno::Exist, Reason::MsiPage { iova: page }));
}

/// … and with a published window it cannot happen.
#[test]
fn e2_in_a_published_domain_all_that_is_told_to_be_free_is_free() {
    let config = Config { policy: MsiPolicy::Published { window: linux_window() }, ..Config::seed(low()) };
    let mut domain = with_device(config);
    let ranges = domain.publish();
    for n in 0..MANY {
        domain.msi_prepare(1, n * 0x1_0000).unwrap();
    }
    for range in ranges {
        map(&mut domain, range.start(), range.len().unwrap()).unwrap();
    }
}

/// There: the message was poison, enabling interrupts reported success, and no interrupt ever came.
#[test]
fn f_when_no_hole_is_left_enabling_fails_and_the_message_is_poison() {
    let mut domain = seed();
    map(&mut domain, 0, GIB4).unwrap();
    let refused = domain.msi_prepare(1, DOORBELL).unwrap_err();
    assert_eq!(refused, Failure { errno: Errno::NoMem, reason: Reason::NoHole(GIB4 - 1) });
    assert_eq!(refused.kind(), Kind::Exhausted);
    let composed = domain.compose(1, message(DOORBELL));
    assert_eq!(composed.message, Message::POISON);
    assert_eq!(composed.event.unwrap().reason, Reason::NotPrepared(DOORBELL));
}

/// A guest behind a virtual IOMMU allocates from the top of 32 bits downwards, exactly as the doorbell allocator does: its very
/// first mapping meets the page.
#[test]
fn g_a_guest_that_maps_from_the_top_collides_at_once() {
    let mut domain = seed();
    domain.msi_prepare(1, DOORBELL).unwrap();
    let first = (0..).map(|n| GIB4 - (n + 1) * PAGE).find(|iova| map(&mut domain, *iova, PAGE).is_err());
    assert_eq!(first, Some(0xffff_f000));
    let config = Config { policy: MsiPolicy::Published { window: linux_window() }, ..Config::seed(low()) };
    let mut told = with_device(config);
    told.msi_prepare(1, DOORBELL).unwrap();
    assert!((0..MANY).all(|n| map(&mut told, GIB4 - (n + 1) * PAGE, PAGE).is_ok()));
}

/// An UNMAP over everything leaves the page, and one over the page alone finds nothing.
#[test]
fn unmap_never_reaches_a_page() {
    let mut domain = seed();
    let page = domain.msi_prepare(1, DOORBELL).unwrap() & !(PAGE - 1);
    map(&mut domain, page - PAGE, PAGE).unwrap();
    assert_eq!(unmap(&mut domain, page, PAGE), Ok(0));
    assert_eq!(unmap(&mut domain, page - PAGE, 2 * PAGE), Ok(PAGE));
    assert_eq!(domain.unmap_all(), 0);
    assert_eq!(domain.state().pages.len(), 1);
}

/// Two groups of one SMMU share a page; another doorbell has its own.
#[test]
fn a_doorbell_has_one_page_whoever_writes_to_it() {
    let mut domain = seed();
    domain.attach(Device::new(2)).unwrap();
    let first = domain.msi_prepare(1, DOORBELL).unwrap();
    assert_eq!(domain.msi_prepare(2, DOORBELL + 4), Ok(first + 4));
    assert_ne!(domain.msi_prepare(2, DOORBELL2), Ok(first));
    assert_eq!(domain.state().pages.get(first & !(PAGE - 1)).unwrap().users.len(), 2);
}
