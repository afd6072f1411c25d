//! The hostile driver against the real device in one process, over containers that only behave like the kernel's.

mod machine;

use machine::{Damage, machine};

use super::all;

#[test]
fn the_device_answers_as_the_books_say() {
    let told = all(&mut machine(Damage::None), 20_000, 7).unwrap();
    assert_eq!(told, "left 8 mappings");
}

#[test]
fn a_device_that_answers_otherwise_is_found_out() {
    let cases = [
        (Damage::NoReservedRegions, "expected Inval"),
        (Damage::NoReset, "the page was asked for again"),
        (Damage::NeverNeedsReset, "does not ask for a reset"),
    ];
    for (damage, expected) in cases {
        let error = format!("{:#}", all(&mut machine(damage), 5_000, 7).unwrap_err());
        assert!(error.contains(expected), "{damage:?}: {error}");
    }
}
