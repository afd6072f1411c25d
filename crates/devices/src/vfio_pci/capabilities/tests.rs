//! Chains of standard capabilities, whole and damaged.

use super::*;

/// A space with a list of capabilities: offset, id, next.
fn image(first: u8, chain: &[(usize, u8, u8)]) -> Vec<u8> {
    let mut image = vec![0; 4096];
    image[0x06] = 0x10;
    image[0x34] = first;
    for (at, id, next) in chain {
        image[*at] = *id;
        image[*at + 1] = *next;
    }
    image
}

fn shown(image: &[u8]) -> Vec<(u8, usize)> {
    walk(image).into_iter().filter(|found| found.shown).map(|found| (found.id, found.at)).collect()
}

#[test]
fn known_capabilities_are_shown_and_others_hidden() {
    let chain = [(0x40, 0x01, 0x50), (0x50, 0x14, 0x60), (0x60, 0x0a, 0x70), (0x70, 0x10, 0)];
    assert_eq!(shown(&image(0x40, &chain)), [(0x01, 0x40), (0x10, 0x70)]);
}

#[test]
fn a_chain_that_loops_or_leaves_the_space_ends() {
    for (name, chain) in [
        ("to itself", vec![(0x40, 0x01, 0x40)]),
        ("back", vec![(0x40, 0x01, 0x50), (0x50, 0x09, 0x40)]),
        ("into the header", vec![(0x40, 0x01, 0x10)]),
    ] {
        assert_eq!(shown(&image(0x40, &chain)).first(), Some(&(0x01, 0x40)), "{name}");
        assert!(walk(&image(0x40, &chain)).len() <= 2, "{name}");
    }
}

#[test]
fn a_capability_that_does_not_fit_is_hidden() {
    let mut tall = image(0xf8, &[(0xf8, CAP_MSI, 0)]);
    tall[0xfa] = 0x80;
    assert_eq!(walk(&tall)[0], Capability { id: CAP_MSI, at: 0xf8, len: 8, shown: false });
    let express = image(0xc8, &[(0xc8, regs::CAP_EXPRESS, 0)]);
    let mut second = express.clone();
    second[0xca] = 2;
    assert_eq!(shown(&express), [(regs::CAP_EXPRESS, 0xc8)]);
    assert_eq!(shown(&second), []);
}

#[test]
fn a_second_one_of_a_kind_is_hidden_unless_vendor_specific() {
    let chain = [(0x40, 0x05, 0x60), (0x60, 0x05, 0x80), (0x80, 0x09, 0x90), (0x90, 0x09, 0)];
    assert_eq!(shown(&image(0x40, &chain)), [(0x05, 0x40), (0x09, 0x80), (0x09, 0x90)]);
}

#[test]
fn without_the_status_bit_there_is_no_list() {
    let mut image = image(0x40, &[(0x40, 0x01, 0)]);
    image[0x06] = 0;
    assert_eq!(walk(&image), []);
}

#[test]
fn the_form_of_msi_tells_where_its_fields_are() {
    for (control, data, len) in [(0x000, 8, 12), (0x080, 12, 16), (0x100, 8, 20), (0x180, 12, 24)] {
        let form = MsiForm::of(control);
        assert_eq!((form.data(), form.len()), (data, len), "{control:#x}");
    }
}
