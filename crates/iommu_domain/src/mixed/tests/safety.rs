//! Interrupt safety by controller and by era.

use super::super::*;
use super::kit::*;

#[test]
fn isolation_is_a_matter_of_the_controller_and_of_the_era() {
    use MsiController::*;
    let seed = Personality::Seed;
    let old = Personality::Type1(Type1Kernel::V6_1);
    let new = Personality::Type1(Type1Kernel::V7_3);
    let fd = Personality::Iommufd(IommufdKernel::V6_12);
    let cases: &[(&[MsiController], [bool; 4])] = &[
        (&[Its], [false, true, true, true]),
        (&[GicV5Its], [false, true, true, true]),
        (&[GicV2m], [false, false, false, false]),
        (&[SynquacerPreIts], [false, false, false, false]),
        (&[Its, GicV2m], [false, false, false, false]),
        (&[Its, Its], [false, true, true, true]),
        (&[Remapped], [true, true, true, true]),
        (&[Unremapped], [false, false, false, false]),
        // No controller at all: the old question was "is there one that does not isolate?"
        (&[], [false, true, false, false]),
    ];
    for (controllers, expected) in cases {
        let got = [seed, old, new, fd].map(|personality| isolated(personality, controllers));
        assert_eq!(got, *expected, "{controllers:?}");
    }
}

#[test]
fn the_administrator_may_allow_what_is_not_isolated() {
    assert_eq!(assess(true, false), Ok(Safety::Isolated));
    assert_eq!(assess(true, true), Ok(Safety::Isolated));
    assert_eq!(assess(false, true), Ok(Safety::AllowedUnsafe));
    assert_eq!(errno(assess(false, false)), Errno::Perm);
}

#[test]
fn type1_looks_at_interrupts_last_and_the_others_first() {
    for personality in Personality::ALL {
        let config = Config { personality, isolated_msi: false, allow_unsafe: false, ..Config::seed(low()) };
        let mut domain = MixedDomain::new(config).unwrap();
        map(&mut domain, 0, PAGE).unwrap();
        let both = errno(domain.attach(bringing(1, of(0, PAGE), ResvKind::Reserved)));
        let type1 = matches!(personality, Personality::Type1(_));
        assert_eq!(both, if type1 { Errno::Inval } else { Errno::Perm }, "{personality:?}");
        assert_eq!(errno(domain.attach(Device::new(1))), Errno::Perm);
        assert!(domain.state().attached.is_empty());
    }
}
