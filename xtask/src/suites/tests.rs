//! How much a night is.

use super::{CI, NIGHT, Size};

#[test]
fn a_part_of_a_night_is_no_less_than_a_check() {
    assert_eq!(Size::part(1.0, 7), Size { seed: 7, ..NIGHT });
    assert_eq!(Size::part(0.0, 1), CI);
    let tenth = Size::part(0.1, 1);
    assert_eq!((tenth.model, tenth.growth, tenth.kernel), (NIGHT.model / 10, CI.growth, NIGHT.kernel / 10));
}
