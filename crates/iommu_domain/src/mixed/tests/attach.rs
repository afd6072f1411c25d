//! Attachments that do not fit, and what leaves with a device.

use super::super::*;
use super::kit::*;

fn kernels() -> [(Personality, Errno); 4] {
    [
        (Personality::Seed, Errno::Inval),
        (Personality::Type1(Type1Kernel::V7_3), Errno::Inval),
        (Personality::Iommufd(IommufdKernel::V7_3), Errno::AddrInUse),
        (Personality::IommufdCompat, Errno::AddrInUse),
    ]
}

#[test]
fn a_slot_in_the_way_is_told_in_the_personalitys_words() {
    let slot = of(0x10_0000, PAGE);
    for (personality, expected) in kernels() {
        let mut domain = MixedDomain::new(Config { personality, ..Config::seed(low()) }).unwrap();
        map(&mut domain, slot.start(), PAGE).unwrap();
        let before = domain.state().clone();
        for device in [
            bringing(1, of(0x10_0fff, 1), ResvKind::Reserved),
            bringing(1, of(0x10_0000, MIB), ResvKind::Direct),
            bringing(1, of(0x10_0000, MIB), ResvKind::Msi),
            Device { aperture: span(0, 0xf_ffff), ..Device::new(1) },
        ] {
            let refused = domain.attach(device).unwrap_err();
            assert_eq!(refused, Failure { errno: expected, reason: Reason::Slot(slot) }, "{personality:?}");
            assert_eq!(domain.state(), &before);
        }
        domain.attach(bringing(1, slot, ResvKind::DirectRelaxable)).unwrap();
    }
}

#[test]
fn a_live_page_in_the_way_is_eaddrinuse_for_all() {
    for (personality, _) in kernels() {
        let mut domain = with_device(Config { personality, ..Config::seed(low()) });
        let iova = domain.msi_prepare(1, 0).unwrap();
        for device in [
            bringing(2, of(iova + 0xfff, 1), ResvKind::Msi),
            bringing(2, of(iova, PAGE), ResvKind::DirectRelaxable),
            Device { aperture: span(0, iova - 1), ..Device::new(2) },
        ] {
            let refused = domain.attach(device).unwrap_err();
            assert_eq!(refused, Failure { errno: Errno::AddrInUse, reason: Reason::MsiPage { iova } });
        }
        domain.attach(bringing(2, of(iova, PAGE), ResvKind::SwMsi)).unwrap();
    }
}

#[test]
fn twice_is_einval_and_nothing_in_common_is_refused() {
    let mut domain = seed();
    assert_eq!(errno(domain.attach(Device::new(1))), Errno::Inval);
    let apart = Device { aperture: span(GIB4, u64::MAX), ..Device::new(2) };
    assert_eq!(errno(domain.attach(apart)), Errno::Inval);
    assert_eq!(errno(domain.detach(2)), Errno::NoEnt);
}

#[test]
fn the_last_device_takes_the_slots_of_a_type1_container_along() {
    for personality in Personality::ALL {
        let mut domain = with_device(Config { personality, ..Config::seed(low()) });
        domain.attach(Device::new(2)).unwrap();
        map(&mut domain, 0, PAGE).unwrap();
        assert_eq!(domain.detach(1), Ok(0), "{personality:?}: not the last");
        let type1 = matches!(personality, Personality::Type1(_));
        assert_eq!(domain.detach(2), Ok(if type1 { PAGE } else { 0 }), "{personality:?}");
        assert_eq!(domain.state().slots.is_empty(), type1);
    }
}

#[test]
fn pages_outlive_their_users_unless_reclaimed() {
    for reclaim in [false, true] {
        let mut domain = with_device(Config { reclaim, ..Config::seed(low()) });
        domain.attach(Device::new(2)).unwrap();
        let iova = domain.msi_prepare(1, DOORBELL).unwrap();
        domain.msi_prepare(2, DOORBELL).unwrap();
        domain.msi_release(1, DOORBELL).unwrap();
        assert_eq!(domain.compose(1, message(DOORBELL)).message, Message::POISON);
        assert_eq!(domain.compose(2, message(DOORBELL)).message.address, iova);
        assert_eq!(errno(domain.msi_release(1, DOORBELL)), Errno::NoEnt);
        domain.detach(2).unwrap();
        assert_eq!(domain.state().pages.len(), usize::from(!reclaim));
    }
}

#[test]
fn a_detached_device_reaches_nothing_and_takes_its_regions_along() {
    let mut domain = seed();
    domain.attach(bringing(2, of(0x10_0000, PAGE), ResvKind::Reserved)).unwrap();
    map(&mut domain, 0, PAGE).unwrap();
    assert_eq!(errno(map(&mut domain, 0x10_0000, PAGE)), Errno::Inval);
    domain.detach(2).unwrap();
    map(&mut domain, 0x10_0000, PAGE).unwrap();
    assert_eq!(domain.translate(2, 0, Access::Read).unwrap_err().kind, FaultKind::NotAttached);
    assert!(domain.translate(1, 0, Access::Read).is_ok());
}

#[test]
fn where_interrupt_writes_are_not_translated_addresses_stay() {
    let x86 = span(0xfee0_0000, 0xfeef_ffff);
    for policy in [MsiPolicy::Hw { regions: vec![x86] }, MsiPolicy::None] {
        let kept = policy.kept().to_vec();
        let mut domain = with_device(Config { policy, ..Config::seed(low()) });
        assert_eq!(domain.msi_prepare(1, 0xfee0_0010), Ok(0xfee0_0010));
        let composed = domain.compose(1, message(0xfee0_0010));
        assert_eq!(composed, Composed { message: message(0xfee0_0010), event: None });
        domain.msi_release(1, 0xfee0_0010).unwrap();
        assert_eq!(map(&mut domain, 0xfee0_0000, PAGE).is_err(), kept == [x86]);
        let write = domain.translate(1, 0xfee0_0010, Access::Write);
        if kept.is_empty() {
            assert!(matches!(write, Ok(Translation::Slot(_))));
        } else {
            assert_eq!(write, Ok(Translation::Doorbell { phys: 0xfee0_0010 }));
            let read = domain.translate(1, 0xfee0_0010, Access::Read).unwrap_err();
            assert_eq!(read.kind, FaultKind::NotReadable);
        }
    }
}
