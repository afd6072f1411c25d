//! What lies behind slots: targets that do not exist, and the limit of locked memory.

use std::collections::BTreeMap;

use super::super::*;
use super::kit::*;
use crate::Perm;

const IOAS: Personality = Personality::Iommufd(IommufdKernel::V7_3);
const TYPE1: Personality = Personality::Type1(Type1Kernel::V7_3);

fn config(personality: Personality) -> Config {
    let backings = [(0, true), (1, false)].map(|(n, writable)| (n, Backing { len: 4 * PAGE, writable }));
    Config {
        personality,
        backings: Some(BTreeMap::from(backings)),
        lock_limit: Some(2 * PAGE),
        ..Config::seed(low())
    }
}

fn to(backing: u32, offset: u64, perm: Perm) -> MapRequest {
    MapRequest::new(0x10_0000, PAGE, Target::Ram { backing, offset }, perm)
}

#[test]
fn a_target_that_does_not_exist_is_efault() {
    let rw = Perm::READ_WRITE;
    let bad = [to(2, 0, rw), to(0, 4 * PAGE, rw), to(1, 0, rw)];
    let good = [to(0, 3 * PAGE, rw), to(1, 3 * PAGE, Perm::READ)];
    for personality in Personality::ALL {
        for request in bad {
            let refused = with_device(config(personality)).map(request).unwrap_err();
            assert_eq!((refused.errno, refused.kind()), (Errno::Fault, Kind::Fault), "{personality:?}");
        }
        for request in good {
            with_device(config(personality)).map(request).unwrap();
        }
        let mmio = MapRequest { target: Target::Mmio { phys: 0 }, ..good[0] };
        let iommufd = matches!(personality, Personality::Iommufd(_) | Personality::IommufdCompat);
        assert_eq!(with_device(config(personality)).map(mmio).is_err(), iommufd, "{personality:?}");
    }
}

#[test]
fn iommufd_looks_at_memory_when_a_device_comes() {
    for (request, expected) in [
        (to(2, 0, Perm::READ), Errno::Fault),
        (MapRequest { len: 3 * PAGE, ..to(0, 0, Perm::READ) }, Errno::NoMem),
    ] {
        let mut lazy = MixedDomain::new(config(IOAS)).unwrap();
        lazy.map(request).unwrap();
        assert_eq!(errno(lazy.attach(Device::new(1))), expected);
        assert!(lazy.state().attached.is_empty());
        let mut eager = MixedDomain::new(config(TYPE1)).unwrap();
        assert_eq!(errno(eager.map(request)), expected);
    }
}

#[test]
fn locked_memory_is_charged_per_mapping() {
    for (personality, limited) in [(Personality::Seed, false), (TYPE1, true), (IOAS, true)] {
        let mut domain = with_device(config(personality));
        for page in 0..2 {
            domain.map(MapRequest { iova: page * PAGE, ..to(0, 0, Perm::READ) }).unwrap();
        }
        let third = domain.map(to(0, 0, Perm::READ));
        assert_eq!(third.is_err(), limited, "{personality:?}: the same page for the third time");
        if limited {
            assert_eq!(errno(third), Errno::NoMem);
            unmap(&mut domain, 0, PAGE).unwrap();
            domain.map(to(0, 0, Perm::READ)).unwrap();
        }
    }
}

#[test]
fn accesses_follow_permissions() {
    let mut domain = with_device(config(Personality::Seed));
    domain.map(MapRequest { iova: 0, ..to(0, PAGE, Perm::READ) }).unwrap();
    domain.map(MapRequest { iova: PAGE, ..to(0, PAGE, Perm::WRITE) }).unwrap();
    let slot = |offset| Ok(Translation::Slot(Target::Ram { backing: 0, offset }));
    let fault = |iova, access| domain.translate(1, iova, access).unwrap_err().kind;
    assert_eq!(domain.translate(1, 0x123, Access::Read), slot(PAGE + 0x123));
    assert_eq!(fault(0x123, Access::Write), FaultKind::NotWritable);
    assert_eq!(domain.translate(1, 0x1fff, Access::Write), slot(2 * PAGE - 1));
    assert_eq!(fault(0x1fff, Access::Read), FaultKind::NotReadable);
    assert_eq!(fault(0x2000, Access::Read), FaultKind::NoMapping);
}

#[test]
fn a_doorbell_is_written_and_iommufd_lets_it_be_read() {
    for (personality, readable) in [(Personality::Seed, false), (TYPE1, false), (IOAS, true)] {
        let mut domain = with_device(config(personality));
        let iova = domain.msi_prepare(1, DOORBELL).unwrap();
        let doorbell = Ok(Translation::Doorbell { phys: DOORBELL });
        assert_eq!(domain.translate(1, iova, Access::Write), doorbell);
        assert_eq!(domain.translate(1, iova, Access::Read) == doorbell, readable, "{personality:?}");
    }
}
