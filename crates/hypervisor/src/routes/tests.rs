use std::collections::BTreeMap;

use super::{Route, RouteTable, Target, Wiring};

fn pins(routes: &[Route]) -> BTreeMap<u32, Vec<(u32, u32)>> {
    let mut map: BTreeMap<u32, Vec<(u32, u32)>> = BTreeMap::new();
    for route in routes {
        let Target::Pin { chip, pin } = route.target else { panic!("{route:?}") };
        map.entry(route.gsi).or_default().push((chip, pin));
    }
    map
}

#[test]
fn a_pc_reaches_both_chips_below_16_and_the_timer_sits_on_pin_2() {
    let map = pins(&Wiring::Pc.default_routes());
    for (gsi, want) in [
        (0, Some(vec![(0, 0), (2, 2)])),
        (1, Some(vec![(0, 1), (2, 1)])),
        (2, None),
        (7, Some(vec![(0, 7), (2, 7)])),
        (8, Some(vec![(1, 0), (2, 8)])),
        (15, Some(vec![(1, 7), (2, 15)])),
        (16, Some(vec![(2, 16)])),
        (23, Some(vec![(2, 23)])),
        (24, None),
    ] {
        assert_eq!(map.get(&gsi), want.as_ref(), "GSI {gsi}");
    }
}

#[test]
fn a_gic_reaches_each_spi_under_its_own_number() {
    let map = pins(&Wiring::Gic { spis: 96 }.default_routes());
    assert_eq!(map.len(), 96);
    assert!((0..96).all(|spi| map[&spi] == [(0, spi)]));
}

#[test]
fn line_words_carry_type_and_intid_on_a_gic() {
    let gic = Wiring::Gic { spis: 64 };
    for (wiring, gsi, want) in [
        (gic, 0, Some(0x0100_0020)),
        (gic, 5, Some(0x0100_0025)),
        (gic, 63, Some(0x0100_005f)),
        (gic, 64, None),
        (Wiring::Pc, 4, Some(4)),
        (Wiring::Pc, 2, None),
        (Wiring::Pc, 23, Some(23)),
        (Wiring::Pc, 24, None),
        (gic, u32::MAX, None),
    ] {
        assert_eq!(wiring.line_word(gsi), want, "{wiring:?} {gsi}");
    }
}

#[test]
fn only_a_gic_has_spis() {
    assert_eq!(Wiring::Gic { spis: 64 }.spi(63), Some(Target::Pin { chip: 0, pin: 63 }));
    assert_eq!(Wiring::Gic { spis: 64 }.spi(64), None);
    assert_eq!(Wiring::Pc.spi(5), None);
}

#[test]
fn entries_are_pins_first_then_msis_and_setting_tells_what_was_there() {
    let mut table = RouteTable::new(Wiring::Pc);
    let fixed = table.fixed();
    let msi = Target::Msi { address: 0xfee0_0000, data: 0x31, devid: None };
    assert_eq!(table.set(30, Some(msi)), None);
    assert_eq!(table.set(25, Some(msi)), None);
    let gsis: Vec<u32> = table.entries()[fixed..].iter().map(|r| r.gsi).collect();
    assert_eq!(gsis, [25, 30]);
    assert_eq!(table.set(25, None), Some(msi));
    assert_eq!((table.get(25), table.get(30)), (None, Some(msi)));
    assert_eq!(table.entries().len(), fixed + 1);
}
