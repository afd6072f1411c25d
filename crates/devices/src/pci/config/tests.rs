use super::*;
use crate::pci::capability::{ExpressKind, MsixLayout, add_express, add_msix, add_power_management};

fn space() -> ConfigSpace {
    ConfigSpace::device(&Identity {
        vendor: 0x1af4,
        device: 0x1057,
        class: 0x08_8000,
        revision: 1,
        subsystem: (0x1af4, 0x1100),
    })
}

#[test]
fn guest_writes_change_only_what_the_masks_allow() {
    struct Case {
        allow: u32,
        clear: u32,
        initial: u32,
        write: u32,
        after: u32,
    }
    let cases = [
        Case { allow: 0, clear: 0, initial: 0x1234, write: !0, after: 0x1234 },
        Case { allow: 0x00f0, clear: 0, initial: 0x1234, write: !0, after: 0x12f4 },
        Case { allow: 0x00f0, clear: 0, initial: 0x1234, write: 0, after: 0x1204 },
        Case { allow: 0, clear: 0x0030, initial: 0x1234, write: 0x0010, after: 0x1224 },
        Case { allow: 0, clear: 0x0030, initial: 0x1234, write: 0, after: 0x1234 },
        Case {
            allow: 0xff00_0000,
            clear: 0x00ff_0000,
            initial: 0x00ff_0000,
            write: 0xaa0f_ffff,
            after: 0xaaf0_0000,
        },
    ];
    for (n, case) in cases.iter().enumerate() {
        let mut config = space();
        config.set_u32(0x40, case.initial);
        config.allow(0x40, &case.allow.to_le_bytes());
        config.allow_clear(0x40, &case.clear.to_le_bytes());
        config.write(0x40, &case.write.to_le_bytes());
        assert_eq!(config.u32(0x40), case.after, "case {n}");
    }
}

#[test]
fn accesses_past_the_end_are_ones_and_lost() {
    let mut config = space();
    let mut data = [0; 4];
    config.write(0xffe, &[1, 2, 3, 4]);
    config.read(0xffe, &mut data);
    assert_eq!(data, [0, 0, 0xff, 0xff]);
    config.write(u16::MAX, &[0; 4]);
    config.read(u16::MAX, &mut data);
    assert_eq!(data, [0xff; 4]);
}

#[test]
fn a_bar_tells_its_size_and_decodes_where_it_is_put() {
    let mut config = space();
    config.add_bar(0, BarKind::Memory32 { prefetchable: false }, 0x1000).unwrap();
    config.add_bar(1, BarKind::Memory64 { prefetchable: true }, 0x4_0000_0000).unwrap();
    config.add_bar(3, BarKind::Io, 0x40).unwrap();
    for (register, sized) in
        [(0x10, 0xffff_f000), (0x14, 0xc), (0x18, 0xffff_fffc), (0x1c, 0xffff_ffc1), (0x20, 0)]
    {
        config.write(register, &u32::MAX.to_le_bytes());
        assert_eq!(config.u32(register), sized, "register {register:#x}");
    }
    config.write(regs::COMMAND, &3u16.to_le_bytes());
    assert_eq!(config.windows(), [], "a BAR that is being sized decodes nothing");
    for (register, value) in [(0x10, 0xe000_0000u32), (0x14, 0), (0x18, 8), (0x1c, 0x1000)] {
        config.write(register, &value.to_le_bytes());
    }
    let span = |start, len| Span::from_len(start, len).unwrap();
    let memory = [
        BarWindow { bar: 0, span: span(0xe000_0000, 0x1000), io: false },
        BarWindow { bar: 1, span: span(0x8_0000_0000, 0x4_0000_0000), io: false },
    ];
    let ports = BarWindow { bar: 3, span: span(0x1000, 0x40), io: true };
    assert_eq!(config.windows(), [memory[0], memory[1], ports]);
    config.write(regs::COMMAND, &1u16.to_le_bytes());
    assert_eq!(config.windows(), [ports]);
    config.write(regs::COMMAND, &2u16.to_le_bytes());
    assert_eq!(config.windows(), memory);
}

#[test]
fn impossible_bars_are_refused() {
    let memory64 = BarKind::Memory64 { prefetchable: false };
    let memory32 = BarKind::Memory32 { prefetchable: false };
    let cases = [
        (0, memory32, 0),
        (0, memory32, 0x1800),
        (0, memory32, 8),
        (0, memory32, 1 << 32),
        (5, memory64, 0x1000),
        (6, memory32, 0x1000),
        (255, memory64, 0x1000),
        (3, memory32, 0x1000),
        (1, memory64, 0x1000),
    ];
    for (bar, kind, size) in cases {
        let mut config = space();
        config.add_bar(2, memory64, 0x1000).unwrap();
        assert_eq!(config.add_bar(bar, kind, size), Err(ConfigError::BadBar { bar, size }));
    }
}

/// Ids and offsets, as a driver walks the list.
fn walk(config: &ConfigSpace) -> Vec<(u8, u16)> {
    let mut at = u16::from(config.u8(regs::CAPABILITIES));
    let mut found = Vec::new();
    while at != 0 {
        found.push((config.u8(at), at));
        at = u16::from(config.u8(at + 1));
    }
    found
}

#[test]
fn capabilities_form_a_list_until_the_space_is_full() {
    let mut config = space();
    let pm = add_power_management(&mut config).unwrap();
    let express = add_express(&mut config, ExpressKind::RootComplexEndpoint).unwrap();
    let layout = MsixLayout { vectors: 3, table: (1, 0), pending: (1, 0x800) };
    let msix = add_msix(&mut config, &layout).unwrap();
    assert_eq!(walk(&config), [(regs::CAP_PM, pm), (regs::CAP_EXPRESS, express), (regs::CAP_MSIX, msix)]);
    assert_eq!((config.u16(msix + 2), config.u32(msix + 4), config.u32(msix + 8)), (2, 1, 0x801));
    assert_ne!(config.u16(regs::STATUS) & regs::STATUS_CAPABILITIES, 0);
    assert_ne!(config.u16(pm + 4) & 8, 0, "No_Soft_Reset");
    let full = config.add_capability(9, &[0; 0xc0], &[]);
    assert_eq!(full, Err(ConfigError::NoRoom { id: 9, len: 0xc2 }));
    let first = config.add_extended(regs::EXT_ACS, 1, &[0; 6], &[]).unwrap();
    let second = config.add_extended(1, 2, &[0; 4], &[]).unwrap();
    assert_eq!((first, config.u32(first)), (0x100, u32::from(second) << 20 | 1 << 16 | 0x0d));
    assert_eq!(config.u32(second), 2 << 16 | 1);
}

#[test]
fn a_reset_brings_back_the_sealed_state() {
    let mut config = space();
    config.add_bar(0, BarKind::Memory32 { prefetchable: false }, 0x1000).unwrap();
    config.seal();
    config.write(regs::COMMAND, &[6]);
    config.write(regs::BAR0, &0xe000_0000u32.to_le_bytes());
    assert_eq!(config.windows().len(), 1);
    config.reset();
    assert_eq!((config.windows().len(), config.u16(regs::COMMAND), config.u32(regs::BAR0)), (0, 0, 0));
}
