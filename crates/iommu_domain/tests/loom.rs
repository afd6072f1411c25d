//! What threads share, in every order that they can take: `cargo xtask loom`.
#![cfg(loom)]

use std::sync::Arc;

use base::{GuestRam, HostMemory};
use data_model::Span;
use iommu_domain::mixed::{
    Access, Config, Device, Errno, MapRequest, MixedDomain, SharedDomain, Target, UnmapRequest,
};
use iommu_domain::{Backing, Perm, PhysMap};
use loom::thread;

const PAGE: u64 = 0x1000;
const DOORBELL: u64 = 0x808_0040;

fn span(start: u64, len: u64) -> Span {
    Span::from_len(start, len).unwrap()
}

/// A domain of four pages with one device, so that slots and doorbell pages fight for the last.
fn domain(id: u32) -> MixedDomain {
    let mut domain = MixedDomain::new(Config::seed(span(0, 4 * PAGE))).unwrap();
    domain.attach(Device::new(id)).unwrap();
    domain
}

fn page(iova: u64) -> MapRequest {
    MapRequest::new(iova, PAGE, Target::Ram { backing: 0, offset: 0 }, Perm::READ_WRITE)
}

/// I13: a MAP and a doorbell want the same page. One has it, the other is told, and both saw the domain as it was.
#[test]
fn i13_a_slot_and_a_doorbell_never_share_a_page() {
    loom::model(|| {
        let shared = SharedDomain::new(domain(1));
        let mapper = {
            let shared = shared.clone();
            thread::spawn(move || shared.with(|domain| domain.map(page(3 * PAGE))).0)
        };
        let (doorbell, after) = shared.with(|domain| domain.msi_prepare(1, DOORBELL));
        assert!(shared.generation() >= after, "the generation went back");
        let mapped = mapper.join().unwrap();
        match doorbell.unwrap() & !(PAGE - 1) {
            page if page == 3 * PAGE => assert_eq!(mapped.unwrap_err().errno, Errno::Exist),
            page => assert_eq!((page, mapped), (2 * PAGE, Ok(()))),
        }
    });
}

/// A replica that finds its generation unchanged has missed nothing: who sees what an UNMAP did is told its generation.
#[test]
fn i13_a_change_that_is_seen_has_been_told() {
    loom::model(|| {
        let shared = SharedDomain::new(domain(1));
        let (_, mapped) = shared.with(|domain| domain.map(page(0)));
        let unmapper = {
            let shared = shared.clone();
            thread::spawn(move || shared.with(|domain| domain.unmap(UnmapRequest::range(0, PAGE))).1)
        };
        let found = shared.with(|domain| domain.translate(1, 0, Access::Read).is_ok()).0;
        let told = shared.generation();
        assert!(found || told > mapped, "the mapping is gone, and the generation is that of before");
        assert!(unmapper.join().unwrap() > mapped);
    });
}

/// Two devices change places: each move locks both domains.
#[test]
fn devices_that_change_places_do_not_wait_for_each_other() {
    loom::model(|| {
        let (one, two) = (SharedDomain::new(domain(1)), SharedDomain::new(domain(2)));
        let other = {
            let (one, two) = (one.clone(), two.clone());
            thread::spawn(move || two.fork_into(2, &one))
        };
        one.fork_into(1, &two).unwrap();
        other.join().unwrap().unwrap();
        let has = |domain: &SharedDomain, id| domain.with(|it| it.state().attached.contains_key(&id)).0;
        assert!(has(&one, 2) && has(&two, 1));
    });
}

/// A BAR moves while a request asks what lies there: it finds the old place, the new one or none, and never half of one.
#[test]
fn a_bar_that_moves_is_found_whole_or_not_at_all() {
    let ram = GuestRam::new(&[span(0, 4 * PAGE)]).unwrap();
    let (_, memory) = HostMemory::of_ram(&ram).pop().unwrap();
    loom::model(move || {
        let phys = Arc::new(PhysMap::default());
        phys.insert(span(0, 4 * PAGE), Backing::Memory(memory.clone())).unwrap();
        let mover = {
            let (phys, memory) = (phys.clone(), memory.clone());
            thread::spawn(move || {
                assert!(phys.remove(span(0, 4 * PAGE)));
                phys.insert(span(2 * PAGE, 4 * PAGE), Backing::Memory(memory)).unwrap();
            })
        };
        let memory = |(backing, offset)| (matches!(backing, Backing::Memory(_)), offset);
        let found = phys.resolve(span(2 * PAGE, PAGE)).map(memory);
        assert!(matches!(found, None | Some((true, 0 | 0x2000))), "{found:?}");
        assert!(phys.resolve(span(0, 4 * PAGE)).is_none_or(|(_, offset)| offset == 0));
        mover.join().unwrap();
        assert_eq!(phys.resolve(span(5 * PAGE, PAGE)).map(|(_, offset)| offset), Some(3 * PAGE));
    });
}
