use data_model::Span;
use proptest::prelude::*;

use super::{Extent, Mapping, Table};
use crate::Perm;

/// The naive model: a list, searched from end to end.
#[derive(Default)]
struct Model(Vec<Mapping>);

impl Model {
    fn insert(&mut self, mapping: Mapping) -> bool {
        let free = self.0.iter().all(|there| !there.iova.overlaps(&mapping.iova));
        if free {
            self.0.push(mapping);
            self.0.sort_by_key(|mapping| mapping.iova.start());
        }
        free
    }

    fn extent(&self, span: Span) -> Option<Option<Extent>> {
        let touched: Vec<_> = self.0.iter().filter(|there| there.iova.overlaps(&span)).collect();
        if touched.iter().any(|there| !span.covers(&there.iova)) {
            return None;
        }
        let ends = touched.first().zip(touched.last());
        Some(ends.map(|(first, last)| Extent {
            span: Span::new(first.iova.start(), last.iova.last()).unwrap(),
            count: touched.len(),
            bytes: touched.iter().map(|there| there.iova.len().unwrap()).sum(),
        }))
    }
}

/// Pages of 4 KiB folded onto few places: the start, 4 GiB, the end.
fn spans() -> impl Strategy<Value = Span> {
    let page = prop_oneof![0..6u64, 0xf_fffdu64..0x10_0003, (u64::MAX >> 12) - 5..=(u64::MAX >> 12)];
    (page, 0..5u64).prop_map(|(page, more)| {
        let last = page.saturating_add(more).min(u64::MAX >> 12);
        Span::new(page << 12, (last << 12) | 0xfff).unwrap()
    })
}

#[derive(Clone, Debug)]
enum Op {
    Insert(Span, u64, Perm),
    Remove(Span),
}

fn ops() -> impl Strategy<Value = Op> {
    let perm = any::<(bool, bool)>().prop_map(|(read, write)| Perm { read, write });
    prop_oneof![
        2 => (spans(), 0..1u64 << 40, perm).prop_map(|(span, page, perm)| Op::Insert(span, page << 12, perm)),
        1 => spans().prop_map(Op::Remove),
        1 => Just(Op::Remove(Span::ALL)),
    ]
}

proptest! {
    #[test]
    fn agrees_with_a_list(ops in proptest::collection::vec(ops(), 0..60), probe in spans()) {
        let (mut table, mut model) = (Table::default(), Model::default());
        for op in ops {
            match op {
                Op::Insert(iova, phys, perm) => {
                    let mapping = Mapping { iova, phys, perm };
                    prop_assert_eq!(table.insert(mapping).is_ok(), model.insert(mapping));
                }
                Op::Remove(span) => {
                    let extent = table.extent(span).ok();
                    prop_assert_eq!(extent, model.extent(span));
                    if let Some(Some(extent)) = extent {
                        table.remove(extent.span);
                        model.0.retain(|there| !span.covers(&there.iova));
                    }
                }
            }
            prop_assert_eq!(table.iter().collect::<Vec<_>>(), model.0.clone());
            prop_assert_eq!(table.bytes(), model.0.iter().map(|there| there.iova.len_wide()).sum::<u128>());
            for at in [probe.start(), probe.last()] {
                let expected = model.0.iter().find(|there| there.iova.contains(at)).copied();
                prop_assert_eq!(table.get(at), expected);
            }
        }
    }
}

#[test]
fn an_entry_takes_24_bytes() {
    assert_eq!(size_of::<super::Entry>(), 24);
}
