//! `IOAS_COPY`: a provider that holds guest RAM, and domains that are filled from it.

use std::collections::BTreeMap;

use super::super::*;
use super::kit::*;
use crate::Perm;

fn config() -> Config {
    Config {
        personality: Personality::Iommufd(IommufdKernel::V7_3),
        backings: Some(BTreeMap::from([0, 1].map(|n| (n, Backing { len: MIB, writable: true })))),
        lock_limit: Some(MIB),
        ..Config::seed(low())
    }
}

fn ram(backing: u32, iova: u64, perm: Perm) -> MapRequest {
    MapRequest::new(iova, MIB, Target::Ram { backing, offset: 0 }, perm)
}

/// RAM at 0, read-only memory at 1 MiB, nothing beyond.
fn provider() -> MixedDomain {
    let mut provider = MixedDomain::new(config()).unwrap();
    provider.map(ram(0, 0, Perm::READ_WRITE)).unwrap();
    provider.map(ram(1, MIB, Perm::READ)).unwrap();
    provider
}

#[test]
fn a_copy_leads_where_the_original_does_and_is_not_charged() {
    let provider = provider();
    let mut domain = with_device(config());
    let slice = provider.slice(MIB - PAGE, 2 * PAGE).unwrap();
    domain.copy(&slice, 0x4000_0000, Perm::READ).unwrap();
    domain.copy(&provider.slice(0, MIB).unwrap(), 0x5000_0000, Perm::READ_WRITE).unwrap();
    assert_eq!(domain.state().slots.len(), 3, "a slot for each that it came from");
    let to = |backing, offset| Ok(Translation::Slot(Target::Ram { backing, offset }));
    assert_eq!(domain.translate(1, 0x4000_0fff, Access::Read), to(0, MIB - 1));
    assert_eq!(domain.translate(1, 0x4000_1000, Access::Read), to(1, 0));
    assert_eq!(domain.translate(1, 0x5000_1234, Access::Write), to(0, 0x1234));
    domain.map(ram(0, 0x6000_0000, Perm::READ)).unwrap();
    assert_eq!(errno(domain.map(ram(0, 0x7000_0000, Perm::READ))), Errno::NoMem, "a map is charged");
}

#[test]
fn copies_that_cannot_be_are_refused_and_change_nothing() {
    let provider = provider();
    assert_eq!(errno(provider.slice(MIB, MIB + PAGE)), Errno::NoEnt);
    assert_eq!(errno(provider.slice(2 * MIB, PAGE)), Errno::NoEnt);
    assert_eq!(errno(provider.slice(0, 0)), Errno::Inval);
    assert_eq!(errno(provider.slice(PAGE, u64::MAX)), Errno::Overflow);
    let mut domain = with_device(config());
    map(&mut domain, 0x1000, PAGE).unwrap();
    let both = provider.slice(MIB - PAGE, 2 * PAGE).unwrap();
    let odd = provider.slice(0x10, PAGE).unwrap();
    let before = domain.state().clone();
    for (slice, iova, perm, expected) in [
        (&both, 0x4000_0000, Perm::READ_WRITE, Errno::Perm),
        (&both, 0x4000_0000, Perm::NONE, Errno::Inval),
        (&both, 0x4000_0010, Perm::READ, Errno::Inval),
        (&both, 0, Perm::READ, Errno::Exist),
        (&both, u64::MAX - 0xfff, Perm::READ, Errno::Overflow),
        (&odd, 0x4000_0000, Perm::READ, Errno::Inval),
    ] {
        assert_eq!(errno(domain.copy(slice, iova, perm)), expected);
        assert_eq!(domain.state(), &before);
    }
    let mut type1 = with_device(Config::type1(low(), Type1Kernel::V7_3));
    assert_eq!(errno(type1.copy(&both, 0, Perm::READ)), Errno::OpNotSupp);
}

#[test]
fn a_copy_of_a_copy_may_write_what_the_first_map_could() {
    let mut provider = provider();
    let slice = provider.slice(0, PAGE).unwrap();
    provider.copy(&slice, 0x1000_0000, Perm::READ).unwrap();
    let again = provider.slice(0x1000_0000, PAGE).unwrap();
    provider.copy(&again, 0x2000_0000, Perm::READ_WRITE).unwrap();
}
