//! I7 across domains: iommufd's table of doorbells, one for all domains of a context.

use proptest::prelude::*;

use super::super::*;
use super::kit::*;
use super::ops::{Op, apply, ops};
use crate::testing::fewer_than;

fn config() -> Config {
    Config {
        policy: MsiPolicy::FixedIommufd { window: linux_window() },
        personality: Personality::Iommufd(IommufdKernel::V7_3),
        ..Config::seed(low())
    }
}

fn domain(config: Config, context: &IommufdContext) -> MixedDomain {
    let mut domain = MixedDomain::in_context(config, context).unwrap();
    domain.attach(Device::new(1)).unwrap();
    domain
}

#[test]
fn a_doorbell_has_one_address_in_all_domains_of_a_context() {
    let context = IommufdContext::new();
    let (mut one, mut two) = (domain(config(), &context), domain(config(), &context));
    assert!(context.is_empty());
    assert_eq!(one.msi_prepare(1, DOORBELL), Ok(0x0800_0040));
    assert_eq!(two.msi_prepare(1, DOORBELL2), Ok(0x0800_1040), "the first index is the first doorbell's");
    assert_eq!(two.msi_prepare(1, DOORBELL), Ok(0x0800_0040));
    assert_eq!(one.msi_prepare(1, DOORBELL2), Ok(0x0800_1040));
    assert_eq!(context.len(), 2);
    let mut stranger = domain(config(), &IommufdContext::new());
    assert_eq!(stranger.msi_prepare(1, DOORBELL2), Ok(0x0800_0040));
}

proptest! {
    /// Whatever two domains of a context are asked in turn, a doorbell that both have is at one address in both.
    #[test]
    fn i7_domains_of_a_context_agree_on_every_doorbell(
        small in any::<bool>(), traces in prop::collection::vec((any::<bool>(), ops()), fewer_than(80)),
    ) {
        let window = if small { of(0x0800_0000, 0x4000) } else { linux_window() };
        let shared = || Config { policy: MsiPolicy::FixedIommufd { window }, ..config() };
        let context = IommufdContext::new();
        let make = || MixedDomain::in_context(shared(), &context).unwrap();
        let mut pair = [make(), make()];
        for (second, op) in &traces {
            // Another window has other addresses.
            if !matches!(op, Op::SetWindow(_)) {
                drop(apply(&mut pair[usize::from(*second)], op));
            }
            for (iova, page) in pair[0].state().pages.iter() {
                let there: Vec<u64> = pair[1].state().pages.of(page.phys).collect();
                prop_assert!(there.is_empty() || there == [iova], "{:#x} is at {:#x} and {:x?}", page.phys, iova, there);
                prop_assert_eq!(pair[0].state().pages.of(page.phys).count(), 1);
            }
            prop_assert!(context.len() <= CONTEXT_DOORBELLS);
        }
    }
}

#[test]
fn the_65th_doorbell_is_eoverflow_and_known_ones_stay() {
    let context = IommufdContext::new();
    let (mut one, mut two) = (domain(config(), &context), domain(config(), &context));
    for n in 0..CONTEXT_DOORBELLS as u64 {
        assert_eq!(one.msi_prepare(1, n * PAGE), Ok(0x0800_0000 + n * PAGE));
    }
    let refused = two.msi_prepare(1, 64 * PAGE).unwrap_err();
    assert_eq!(refused, Failure { errno: Errno::Overflow, reason: Reason::ContextFull(64) });
    assert_eq!(two.msi_prepare(1, 63 * PAGE), Ok(0x0803_f000));
}

#[test]
fn with_pages_of_64_kib_the_window_is_full_after_16() {
    let context = IommufdContext::new();
    let mut domain = domain(Config { msi_page: 0x1_0000, ..config() }, &context);
    for n in 0..16 {
        domain.msi_prepare(1, n << 16).unwrap();
    }
    let refused = domain.msi_prepare(1, 16 << 16).unwrap_err();
    assert_eq!(refused, Failure { errno: Errno::Overflow, reason: Reason::WindowFull(linux_window()) });
    assert_eq!(context.len(), 16, "what was refused takes no entry");
}

#[test]
fn windows_count_their_own_indexes_but_share_the_table() {
    let context = IommufdContext::new();
    let elsewhere = MsiPolicy::FixedIommufd { window: of(0x1000_0000, MIB) };
    let mut one = domain(config(), &context);
    let mut two = domain(Config { policy: elsewhere, ..config() }, &context);
    assert_eq!(one.msi_prepare(1, 0), Ok(0x0800_0000));
    assert_eq!(two.msi_prepare(1, 0), Ok(0x1000_0000));
    assert_eq!(context.len(), 2);
}
