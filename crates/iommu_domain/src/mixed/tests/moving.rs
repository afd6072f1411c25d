//! Devices that change domains and keep their interrupts.

use proptest::prelude::*;

use super::super::*;
use super::invariants::assert_sound;
use super::kit::*;
use super::ops::{apply, configs, policies, traces};

fn pair(config: &Config) -> (MixedDomain, MixedDomain) {
    let context = IommufdContext::new();
    let make = || MixedDomain::in_context(config.clone(), &context).unwrap();
    let (mut from, to) = (make(), make());
    from.attach(Device { group: 7, ..Device::new(1) }).unwrap();
    from.attach(Device { group: 7, ..Device::new(2) }).unwrap();
    from.attach(Device::new(3)).unwrap();
    (from, to)
}

fn config(policy: MsiPolicy) -> Config {
    Config { policy, personality: Personality::Iommufd(IommufdKernel::V7_3), ..Config::seed(low()) }
}

fn iommufd() -> Config {
    config(MsiPolicy::FixedIommufd { window: linux_window() })
}

#[test]
fn a_group_moves_and_its_doorbells_stay_where_they_were() {
    for policy in [MsiPolicy::SeedHoles, MsiPolicy::FixedIommufd { window: linux_window() }] {
        let (mut from, mut to) = pair(&config(policy));
        let one = from.msi_prepare(1, DOORBELL).unwrap();
        let two = from.msi_prepare(2, DOORBELL2).unwrap();
        from.fork_into(1, &mut to).unwrap();
        assert_eq!(from.state().attached.keys().copied().collect::<Vec<_>>(), [3]);
        assert_eq!(to.state().attached.keys().copied().collect::<Vec<_>>(), [1, 2]);
        assert_eq!(to.compose(1, message(DOORBELL)).message.address, one);
        assert_eq!(to.compose(2, message(DOORBELL2)).message.address, two);
        assert_eq!(to.translate(1, one, Access::Write), Ok(Translation::Doorbell { phys: DOORBELL }));
        assert_eq!(from.compose(1, message(DOORBELL)).message, Message::POISON);
        assert_eq!(to.msi_prepare(1, DOORBELL), Ok(one));
    }
}

/// What stands in the way in the new domain, and the answer.
type Obstacle = (fn(&mut MixedDomain), Errno);

#[test]
fn what_cannot_be_at_the_same_address_there_stays_here() {
    let page = GIB4 - PAGE;
    let obstacles: [Obstacle; 4] = [
        (|to| map(to, GIB4 - PAGE, PAGE).unwrap(), Errno::AddrInUse),
        (|to| drop(to.attach(bringing(9, of(GIB4 - 1, 1), ResvKind::Reserved)).unwrap()), Errno::AddrInUse),
        (
            |to| {
                to.attach(Device::new(9)).unwrap();
                to.msi_prepare(9, DOORBELL2).unwrap();
            },
            Errno::AddrInUse,
        ),
        (|to| drop(to.attach(Device::new(2)).unwrap()), Errno::Inval),
    ];
    for (at, (block, expected)) in obstacles.into_iter().enumerate() {
        let (mut from, mut to) = pair(&config(MsiPolicy::SeedHoles));
        assert_eq!(from.msi_prepare(1, DOORBELL), Ok(page + 0x40));
        block(&mut to);
        let before = (from.state().clone(), to.state().clone(), from.generation(), to.generation());
        assert_eq!(errno(from.fork_into(2, &mut to)), expected, "obstacle {at}");
        assert_eq!(before, (from.state().clone(), to.state().clone(), from.generation(), to.generation()));
    }
}

#[test]
fn a_page_outside_the_published_window_stays_where_it_is() {
    let (mut from, _) = pair(&config(MsiPolicy::SeedHoles));
    from.msi_prepare(1, DOORBELL).unwrap();
    let (_, mut to) = pair(&config(MsiPolicy::Published { window: linux_window() }));
    assert_eq!(errno(from.fork_into(1, &mut to)), Errno::AddrInUse);
    assert!(from.fork_into(3, &mut to).is_ok(), "a device without pages goes anywhere");
}

#[test]
fn moves_that_make_no_sense_are_refused() {
    let (mut from, _) = pair(&iommufd());
    from.msi_prepare(1, DOORBELL).unwrap();
    let (_, mut stranger) = pair(&iommufd());
    assert_eq!(errno(from.fork_into(1, &mut stranger)), Errno::OpNotSupp, "another context");
    assert_eq!(errno(from.fork_into(8, &mut stranger)), Errno::NoEnt);
    let (_, mut bypass) = pair(&config(MsiPolicy::None));
    assert_eq!(errno(from.fork_into(1, &mut bypass)), Errno::OpNotSupp);
    let (mut holes, _) = pair(&config(MsiPolicy::SeedHoles));
    holes.msi_prepare(1, DOORBELL).unwrap();
    let (_, mut large) = pair(&Config { msi_page: 0x1_0000, ..config(MsiPolicy::SeedHoles) });
    assert_eq!(errno(holes.fork_into(1, &mut large)), Errno::Inval);
    let mut type1 = with_device(Config::type1(low(), Type1Kernel::V7_3));
    assert_eq!(errno(type1.fork_into(1, &mut stranger)), Errno::OpNotSupp);
}

#[test]
fn the_new_domain_judges_the_device_as_if_it_were_attached() {
    let (mut from, _) = pair(&iommufd());
    let strict = Config { allow_unsafe: false, ..iommufd() };
    let mut to = MixedDomain::new(strict).unwrap();
    assert_eq!(errno(from.fork_into(1, &mut to)), Errno::Perm);
    let (mut from, mut to) = pair(&iommufd());
    from.attach(bringing(4, of(0x10_0000, PAGE), ResvKind::Reserved)).unwrap();
    map(&mut to, 0x10_0000, PAGE).unwrap();
    assert_eq!(errno(from.fork_into(4, &mut to)), Errno::AddrInUse);
}

#[test]
fn iommufd_6_12_loses_interrupts_on_the_way() {
    let personality = Personality::Iommufd(IommufdKernel::V6_12);
    let policy = MsiPolicy::FixedType1 { window: linux_window(), kernel_bug_unbounded: true };
    let (mut from, mut to) = pair(&Config { personality, ..config(policy) });
    let iova = from.msi_prepare(1, DOORBELL).unwrap();
    from.fork_into(1, &mut to).unwrap();
    assert_eq!(to.compose(1, message(DOORBELL)).message, Message::POISON);
    assert_eq!(to.translate(1, iova, Access::Write).unwrap_err().kind, FaultKind::NoMapping);
    assert_eq!(to.msi_prepare(1, DOORBELL), Ok(iova));
}

proptest! {
    #[test]
    fn a_move_keeps_every_doorbell_or_changes_nothing(
        config in configs(), other in policies(), same in any::<bool>(),
        here in traces(40), there in traces(20), id in 1..5u32,
    ) {
        let personality = Personality::Iommufd(IommufdKernel::V7_3);
        let config = Config { personality, backings: None, ..config };
        let context = IommufdContext::new();
        let make = |policy| MixedDomain::in_context(Config { policy, ..config.clone() }, &context);
        let mut from = make(config.policy.clone()).unwrap();
        let mut to = make(if same { config.policy.clone() } else { other }).unwrap();
        here.iter().for_each(|op| drop(apply(&mut from, op)));
        there.iter().for_each(|op| drop(apply(&mut to, op)));
        let before = (from.state().clone(), to.state().clone());
        match from.fork_into(id, &mut to) {
            Err(_) => prop_assert_eq!(&before, &(from.state().clone(), to.state().clone())),
            Ok(()) => {
                let group = before.0.attached[&id].group;
                for device in before.0.attached.values().filter(|device| device.group == group) {
                    prop_assert!(!from.state().attached.contains_key(&device.id));
                    prop_assert_eq!(to.state().attached.get(&device.id), Some(device));
                    let pages = |state: &State| state.pages.used_by(device.id).collect::<Vec<_>>();
                    prop_assert_eq!(pages(&before.0), pages(to.state()));
                }
                prop_assert_eq!(&before.1.slots, &to.state().slots);
            }
        }
        assert_sound(&from);
        assert_sound(&to);
    }
}
