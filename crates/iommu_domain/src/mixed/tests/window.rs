//! Choosing the window.

use data_model::Span;

use super::super::*;
use super::kit::*;

fn domain(policy: MsiPolicy) -> MixedDomain {
    let resv = vec![(of(0x2000_0000, MIB), ResvKind::Reserved)];
    MixedDomain::new(Config { policy, resv, ..Config::seed(low()) }).unwrap()
}

#[test]
fn a_window_can_be_put_where_nothing_is() {
    let to = of(0x1000_0000, MIB);
    let from = linux_window();
    let cases = [
        (MsiPolicy::SeedHoles, MsiPolicy::Published { window: to }, 0x100f_f000),
        (MsiPolicy::SeedWindow { window: from }, MsiPolicy::SeedWindow { window: to }, 0x100f_f000),
        (MsiPolicy::Published { window: from }, MsiPolicy::Published { window: to }, 0x100f_f000),
        (
            MsiPolicy::FixedType1 { window: from, kernel_bug_unbounded: true },
            MsiPolicy::FixedType1 { window: to, kernel_bug_unbounded: true },
            0x1000_0000,
        ),
        (MsiPolicy::FixedIommufd { window: from }, MsiPolicy::FixedIommufd { window: to }, 0x1000_0000),
    ];
    for (before, after, first) in cases {
        let mut domain = domain(before);
        domain.set_window(to).unwrap();
        assert_eq!(domain.state().policy, after);
        domain.set_window(to).unwrap();
        assert_eq!(domain.generation(), 1, "the same window again is no change");
        domain.attach(Device::new(1)).unwrap();
        assert_eq!(domain.msi_prepare(1, 0), Ok(first), "{after:?}");
        assert_eq!(errno(domain.set_window(from)), Errno::Busy);
        domain.detach(1).unwrap();
        assert_eq!(errno(domain.set_window(from)), Errno::Busy, "a device was here");
    }
}

#[test]
fn a_window_that_cannot_be_is_refused() {
    let mut domain = domain(MsiPolicy::Published { window: linux_window() });
    map(&mut domain, 0x3000_0000, PAGE).unwrap();
    let cases = [
        (of(0x1000_0800, MIB), Errno::Inval),
        (of(0x1000_0000, PAGE / 2), Errno::Inval),
        (of(0, MIB), Errno::Inval),
        (of(GIB4, MIB), Errno::Inval),
        (Span::ALL, Errno::Inval),
        (of(0x3000_0000, MIB), Errno::AddrInUse),
        (of(0x200f_f000, MIB), Errno::AddrInUse),
    ];
    for (window, expected) in cases {
        let before = domain.state().clone();
        assert_eq!(errno(domain.set_window(window)), expected, "{window}");
        assert_eq!(domain.state(), &before);
    }
}

#[test]
fn without_pages_there_is_no_window() {
    for policy in [MsiPolicy::None, MsiPolicy::Hw { regions: vec![of(0xfee0_0000, MIB)] }] {
        assert_eq!(errno(domain(policy).set_window(linux_window())), Errno::OpNotSupp);
    }
}

#[test]
fn configurations_that_make_no_domain_say_why() {
    let window = |window| MsiPolicy::Published { window };
    let base = || Config::seed(low());
    let linux = linux_window();
    let cases = [
        (Config { granule: 0x200, ..base() }, ConfigError::Granule(0x200)),
        (Config { granule: 0x1800, ..base() }, ConfigError::Granule(0x1800)),
        (Config { msi_page: 0x800, ..base() }, ConfigError::MsiPage(0x800)),
        (Config { aperture: of(0, PAGE), ..base() }, ConfigError::Aperture(of(0, PAGE))),
        (Config { aperture: of(8, MIB), ..base() }, ConfigError::Aperture(of(8, MIB))),
        (Config { policy: window(of(0, MIB)), ..base() }, ConfigError::Window(of(0, MIB))),
        (Config { policy: window(of(GIB4, MIB)), ..base() }, ConfigError::Window(of(GIB4, MIB))),
        (
            Config { policy: window(linux), resv: vec![(of(0x0800_0010, 1), ResvKind::Msi)], ..base() },
            ConfigError::WindowReserved { window: linux, region: of(0x0800_0010, 1) },
        ),
    ];
    for (config, expected) in cases {
        assert_eq!(MixedDomain::new(config).err(), Some(expected));
    }
    let told = Config { policy: window(linux), resv: vec![(linux, ResvKind::SwMsi)], ..base() };
    assert!(MixedDomain::new(told).is_ok(), "the host's own window is for pages");
}

#[test]
fn an_open_domain_is_a_domain_like_any_and_all_of_it_is_free() {
    assert_eq!(Config::open().check(), Ok(()));
    let mut domain = MixedDomain::open();
    assert_eq!(domain.ranges(), [Span::ALL]);
    let top = request(u64::MAX - (MIN_GRANULE - 1), MIN_GRANULE);
    assert_eq!(domain.map(top), Ok(()));
    assert_eq!(errno(domain.map(top)), Errno::Exist);
}
