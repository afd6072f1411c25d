//! I7 across domains: iommufd's table of doorbells, one for all domains of a context.

use super::super::*;
use super::kit::*;

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
