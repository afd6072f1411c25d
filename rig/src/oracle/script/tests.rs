//! What the script asks for and aims at, played against the model alone.

use std::collections::BTreeMap;

use data_model::Span;

use super::{Ground, Script};
use crate::oracle::model::{Model, Op};
use crate::random::Random;

const GRANULE: u64 = 0x1000;
const REQUESTS: u64 = 20_000;

fn ground() -> Ground {
    let span = |start, len| Span::from_len(start, len).unwrap();
    Ground {
        queues: span(1 << 30, 5 * GRANULE),
        data: span((1 << 30) + 5 * GRANULE, 32 * GRANULE),
        input: span(0, 1 << 39),
        granule: GRANULE,
    }
}

#[test]
fn every_kind_of_request_comes_up_and_targets_are_live_stale_and_never_the_queues() {
    let ground = ground();
    let ram = Span::new(ground.queues.start(), ground.data.last()).unwrap();
    let hole = Span::from_len(0xfee0_0000, 0x10_0000).unwrap();
    let mut model = Model::new(ram, ground.input, vec![hole]);
    let mut script = Script::new(ground);
    let mut random = Random::new(7);
    let mut kinds = BTreeMap::new();
    let (mut live, mut dead) = (0, 0);
    for _ in 0..REQUESTS {
        let op = script.next(&model, &mut random);
        let done = model.apply(op);
        let kind = match op {
            Op::Map { .. } => "map",
            Op::Unmap(_) => "unmap",
            Op::Attach(_, bypass) => {
                if bypass {
                    "attach bypassed"
                } else {
                    "attach"
                }
            }
            Op::Detach => "detach",
            Op::Reset => "reset",
            Op::Bypass(_) => "bypass",
        };
        *kinds.entry((kind, done)).or_insert(0) += 1;
        let Some(page) = script.target(&model, &mut random) else { continue };
        assert!(!ground.queues.contains(page) && !hole.contains(page) && ground.input.contains(page));
        match model.reach(page) {
            Some((phys, _)) => {
                assert!(ground.data.contains(phys));
                live += 1;
            }
            None => dead += 1,
        }
    }
    for kind in ["map", "unmap", "attach", "attach bypassed", "detach", "reset", "bypass"] {
        assert!(kinds.get(&(kind, true)).is_some_and(|times| *times > 50), "{kind}: {kinds:?}");
    }
    assert!(kinds.contains_key(&("map", false)) && kinds.contains_key(&("unmap", false)), "{kinds:?}");
    assert!(live > REQUESTS / 20 && dead > REQUESTS / 20, "{live} live, {dead} dead");
}
