//! I12: what was published stays free, whatever happens, unless an attachment says otherwise.

use data_model::Span;
use proptest::prelude::*;

use super::super::domain::subtract;
use super::super::*;
use super::kit::*;
use super::ops::*;

fn covered(free: &[Span], by: &[Span]) -> bool {
    free.iter().all(|span| by.iter().fold(vec![*span], |rest, there| subtract(&rest, *there)).is_empty())
}

proptest! {
    #[test]
    fn i12_published_ranges_never_shrink_unannounced(before in traces(10), after in traces(60)) {
        let config = Config {
            policy: MsiPolicy::Published { window: of(0x0800_0000, 0x4_0000) },
            resv: vec![(of(0xff00_0000, MIB), ResvKind::Reserved)],
            ..Config::seed(low())
        };
        let mut domain = MixedDomain::new(config).unwrap();
        before.iter().for_each(|op| drop(apply(&mut domain, op)));
        let mut promised = domain.publish();
        for op in &after {
            let attached = if let Op::Attach(id) = op { domain.attach(device(*id)).ok() } else {
                let outcome = apply(&mut domain, op);
                // What is promised is refused only because the user has it already, or for its form.
                if let (Op::Map(request), Err(failure)) = (op, outcome) {
                    let whole = request.span().is_some_and(|span| covered(&[span], &promised));
                    let own = matches!(failure.reason, Reason::Slot(_) | Reason::NoPermission | Reason::Empty
                        | Reason::Misaligned { .. } | Reason::Wraps { .. } | Reason::UnknownFlag(_));
                    prop_assert!(!whole || own, "{:?}: {}", op, failure);
                }
                None
            };
            for lost in attached.into_iter().flat_map(|attached| attached.lost) {
                promised = subtract(&promised, lost);
            }
            prop_assert!(covered(&promised, &domain.ranges()), "{:?} took from {:?}", op, promised);
            for (iova, _) in domain.state().pages.iter() {
                prop_assert!(!promised.iter().any(|range| range.contains(iova)), "a page where users were promised room");
            }
        }
    }
}

#[test]
fn an_attachment_says_exactly_what_it_takes() {
    let config = Config { policy: MsiPolicy::Published { window: linux_window() }, ..Config::seed(low()) };
    let mut domain = MixedDomain::new(config).unwrap();
    let x86 = span(0xfee0_0000, 0xfeef_ffff);
    assert_eq!(domain.attach(bringing(1, x86, ResvKind::Msi)).unwrap().lost, [x86]);
    assert_eq!(domain.attach(bringing(2, x86, ResvKind::Msi)).unwrap().lost, []);
    let relaxed = bringing(3, of(0x10_0000, PAGE), ResvKind::DirectRelaxable);
    assert_eq!(domain.attach(relaxed).unwrap().lost, []);
    assert_eq!(domain.attach(bringing(4, linux_window(), ResvKind::SwMsi)).unwrap().lost, []);
    let small = Device { aperture: span(0, 0xefff_ffff), ..Device::new(5) };
    let above = [span(0xf000_0000, 0xfedf_ffff), span(0xfef0_0000, 0xffff_ffff)];
    assert_eq!(domain.attach(small).unwrap().lost, above);
    domain.detach(5).unwrap();
    let expected = [span(0, 0x07ff_ffff), span(0x0810_0000, 0xfedf_ffff), span(0xfef0_0000, 0xffff_ffff)];
    assert_eq!(domain.ranges(), expected);
}

#[test]
fn once_published_the_window_stands() {
    let config = Config { policy: MsiPolicy::Published { window: linux_window() }, ..Config::seed(low()) };
    let mut domain = MixedDomain::new(config).unwrap();
    domain.set_window(of(0x1000_0000, MIB)).unwrap();
    let generation = domain.generation();
    assert_eq!(domain.publish(), [span(0, 0x0fff_ffff), span(0x1010_0000, 0xffff_ffff)]);
    assert_eq!(domain.generation(), generation + 1);
    assert_eq!(errno(domain.set_window(linux_window())), Errno::Busy);
}
