//! How much a night is.

use super::{CI, NIGHT, Size};

#[test]
fn a_part_of_a_night_is_never_nothing() {
    assert_eq!(Size::part(1.0, 7), Size { seed: 7, ..NIGHT });
    let trial = Size::part(0.0, 1);
    assert_eq!((trial.model, trial.growth, trial.fuzz), (CI.model / 50, 1, CI.fuzz / 50));
    let tenth = Size::part(0.1, 1);
    assert_eq!((tenth.model, tenth.growth, tenth.kernel), (NIGHT.model / 10, 2, NIGHT.kernel / 10));
}
