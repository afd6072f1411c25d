use acpi_tables::viot::{PciDevice, PciRange, VIOT, VirtIoPciIommu};
use data_model::Bdf;

use super::*;
use crate::BarRoom;
use crate::x86_64::Layout;
use crate::x86_64::ports::{PM1A_CONTROL, PM1A_EVENT, S5_SLEEP_TYPE, pci_intx_gsi};

fn shape(cpus: u32, viommu: Option<ViommuShape>) -> AcpiShape {
    AcpiShape { cpus, pci: Layout::new(3 << 30, 40, &BarRoom::default()).unwrap().pci(), viommu, pit: true }
}

fn viommu(endpoints: u16) -> ViommuShape {
    ViommuShape {
        iommu: Bdf::from_id(0x08),
        endpoints: (0..endpoints).map(|i| Bdf::from_id(0x10 + i)).collect(),
    }
}

fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap())
}

fn long(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn quad(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

/// The table at a guest-physical address, whole, with a good checksum.
fn table(tables: &AcpiTables, address: u64) -> (&str, &[u8]) {
    let rest = &tables.bytes()[(address - PLACE) as usize..];
    let bytes = &rest[..long(rest, 4) as usize];
    let name = std::str::from_utf8(&bytes[..4]).unwrap();
    if name != "FACS" {
        assert_eq!(sum(bytes), 0, "checksum of {name}");
    }
    (name, bytes)
}

/// All tables a kernel finds from the root pointer on.
fn found(tables: &AcpiTables) -> Vec<(&str, &[u8])> {
    let root = &tables.bytes()[..36];
    assert_eq!(&root[..8], b"RSD PTR ");
    assert_eq!((sum(&root[..20]), sum(root)), (0, 0));
    let (name, xsdt) = table(tables, quad(root, 24));
    assert_eq!(name, "XSDT");
    xsdt[36..].chunks(8).map(|entry| table(tables, quad(entry, 0))).collect()
}

fn get<'a>(tables: &'a AcpiTables, name: &str) -> &'a [u8] {
    found(tables).into_iter().find(|(found, _)| *found == name).unwrap().1
}

#[test]
fn a_kernel_finds_every_table_and_viot_only_with_a_viommu() {
    let names = |viommu| {
        let tables = AcpiTables::new(&shape(2, viommu)).unwrap();
        found(&tables).into_iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(None), ["FACP", "APIC", "MCFG"]);
    assert_eq!(names(Some(viommu(3))), ["FACP", "APIC", "MCFG", "VIOT"]);
}

#[test]
fn tables_stay_in_their_room_and_too_many_endpoints_are_refused() {
    let tables = AcpiTables::new(&shape(4096, Some(viommu(2000)))).unwrap();
    assert!(tables.bytes().len() as u64 <= AcpiTables::room().len().unwrap());
    let error = AcpiTables::new(&shape(1, Some(viommu(6000)))).unwrap_err();
    assert!(matches!(error, AcpiError::TooBig { need } if need > 6000 * 24), "{error}");
    for cpus in [0, 4097] {
        assert_eq!(AcpiTables::new(&shape(cpus, None)).unwrap_err(), AcpiError::Cpus(cpus));
    }
}

#[test]
fn viot_names_the_iommu_and_each_endpoint_at_the_offsets_of_the_layout() {
    let shape = shape(
        1,
        Some(ViommuShape {
            iommu: Bdf::new(0, 1, 0).unwrap(),
            endpoints: vec![Bdf::new(1, 0, 0).unwrap(), Bdf::new(0, 3, 1).unwrap()],
        }),
    );
    let tables = AcpiTables::new(&shape).unwrap();
    let viot = get(&tables, "VIOT");
    assert_eq!((viot.len(), viot[8]), (48 + 16 + 2 * 24, 0));
    assert_eq!((word(viot, 36), word(viot, 38), quad(viot, 40)), (3, 48, 0));
    let node = &viot[48..64];
    assert_eq!((node[0], word(node, 2), word(node, 4), word(node, 6)), (3, 16, 0, 0x08));
    for (i, id) in [0x19u16, 0x100].into_iter().enumerate() {
        let node = &viot[64 + i * 24..88 + i * 24];
        assert_eq!((node[0], word(node, 2), long(node, 4)), (1, 24, id.into()));
        assert_eq!((word(node, 8), word(node, 10)), (0, 0));
        assert_eq!((word(node, 12), word(node, 14), word(node, 16)), (id, id, 48));
        assert_eq!(node[18..], [0; 6]);
    }
}

#[test]
fn viot_agrees_with_the_library_but_for_revision_and_checksum() {
    let mut theirs = VIOT::new(OEM, OEM_TABLE, OEM_REVISION);
    let handle = theirs.add_virtio_pci_iommu(VirtIoPciIommu::new(PciDevice::new(0, 0, 1, 0)));
    for id in 0x10..0x15u16 {
        let at = Bdf::from_id(id);
        let device = || PciDevice::new(0, at.bus(), at.device(), at.function());
        theirs.add_pci_range(PciRange::new(device(), device(), &handle));
    }
    let mut theirs = bytes_of(&theirs);
    let mut ours = viot::bytes(&viommu(5)).unwrap();
    assert_eq!((theirs[8], ours[8]), (1, 0));
    for bytes in [&mut theirs, &mut ours] {
        bytes[8] = 0;
        bytes[9] = 0;
    }
    assert_eq!(ours, theirs);
}

#[test]
fn viot_counts_more_than_255_nodes() {
    let tables = AcpiTables::new(&shape(1, Some(viommu(300)))).unwrap();
    assert_eq!(word(get(&tables, "VIOT"), 36), 301);
}

#[test]
fn topology_errors_reach_the_caller() {
    let at = Bdf::from_id(0x08);
    let shape = shape(1, Some(ViommuShape { iommu: at, endpoints: vec![at] }));
    assert_eq!(AcpiTables::new(&shape).unwrap_err(), AcpiError::Topology(TopologyError::BehindItself(at)));
}

/// The entries of the MADT: type and bytes.
fn madt_entries(madt: &[u8]) -> Vec<(u8, &[u8])> {
    let mut entries = Vec::new();
    let mut rest = &madt[44..];
    while !rest.is_empty() {
        let (entry, more) = rest.split_at(rest[1].into());
        entries.push((entry[0], entry));
        rest = more;
    }
    entries
}

#[test]
fn madt_lists_processors_by_short_ids_up_to_254_and_long_ones_after() {
    for (cpus, short, long_ids) in [(1, 1, 0), (255, 255, 0), (256, 255, 1), (300, 255, 45)] {
        let tables = AcpiTables::new(&shape(cpus, None)).unwrap();
        let madt = get(&tables, "APIC");
        assert_eq!(long(madt, 36), 0xfee0_0000);
        let entries = madt_entries(madt);
        let count = |kind| entries.iter().filter(|(found, _)| *found == kind).count();
        assert_eq!((count(0), count(9), count(1)), (short, long_ids, 1), "{cpus} processors");
        if let Some((_, last)) = entries.iter().rfind(|(kind, _)| *kind == 9) {
            assert_eq!((long(last, 4), long(last, 8), long(last, 12)), (cpus - 1, 1, cpus - 1));
        }
    }
}

#[test]
fn madt_overrides_the_timer_where_there_is_one_and_the_sci_always() {
    for (pit, want) in [(true, vec![(0, 2, 0), (9, 9, 0xd)]), (false, vec![(9, 9, 0xd)])] {
        let tables = AcpiTables::new(&AcpiShape { pit, ..shape(1, None) }).unwrap();
        let entries = madt_entries(get(&tables, "APIC"));
        let overrides = entries.iter().filter(|(kind, _)| *kind == 2);
        let overrides: Vec<_> = overrides.map(|(_, e)| (e[3], long(e, 4), word(e, 8))).collect();
        assert_eq!(overrides, want);
    }
}

#[test]
fn mcfg_gives_configuration_space_of_256_buses() {
    let tables = AcpiTables::new(&shape(1, None)).unwrap();
    let mcfg = get(&tables, "MCFG");
    assert_eq!((quad(mcfg, 44), word(mcfg, 52), mcfg[54], mcfg[55]), (0xe000_0000, 0, 0, 255));
}

#[test]
fn fadt_says_how_to_reset_and_to_power_off_and_that_acpi_is_always_on() {
    let tables = AcpiTables::new(&shape(1, None)).unwrap();
    let fadt = get(&tables, "FACP");
    assert_eq!(fadt.len(), 276);
    assert_eq!((word(fadt, 46), long(fadt, 48)), (9, 0), "SCI and SMI command port");
    assert_eq!((long(fadt, 56), fadt[88]), (PM1A_EVENT.into(), 4));
    assert_eq!((long(fadt, 64), fadt[89]), (PM1A_CONTROL.into(), 2));
    assert_eq!(word(fadt, 109), 1 << 2 | 1 << 5, "boot flags: no keyboard controller, VGA or CMOS clock");
    let flags = long(fadt, 112);
    assert_eq!((flags >> 10 & 1, flags >> 20 & 1, flags >> 4 & 1), (1, 0, 0), "flags {flags:#x}");
    assert_eq!((fadt[116], fadt[117], quad(fadt, 120), fadt[128]), (1, 8, 0xcf9, 0x0e));
    assert_eq!((fadt[148], fadt[149], quad(fadt, 152)), (1, 32, PM1A_EVENT.into()));
    assert_eq!((fadt[172], fadt[173], quad(fadt, 176)), (1, 16, PM1A_CONTROL.into()));
    assert_eq!(table(&tables, quad(fadt, 140)).0, "DSDT");
    let facs = quad(fadt, 132);
    assert_eq!((table(&tables, facs).0, facs % 64), ("FACS", 0));
}

fn dsdt(tables: &AcpiTables) -> &[u8] {
    table(tables, quad(get(tables, "FACP"), 140)).1
}

fn position(bytes: &[u8], of: &[u8]) -> usize {
    bytes.windows(of.len()).position(|part| part == of).unwrap()
}

#[test]
fn dsdt_powers_off_with_the_exported_sleep_type() {
    let tables = AcpiTables::new(&shape(1, None)).unwrap();
    let dsdt = dsdt(&tables);
    let at = position(dsdt, b"_S5_") + 4;
    let (package, prefix) = (0x12, 0x0a);
    assert_eq!(dsdt[at..at + 7], [package, 8, 4, prefix, S5_SLEEP_TYPE, prefix, S5_SLEEP_TYPE]);
}

#[test]
fn dsdt_routes_every_pin_of_the_root_bus() {
    let tables = AcpiTables::new(&shape(1, None)).unwrap();
    let dsdt = dsdt(&tables);
    let mut rest = &dsdt[position(dsdt, b"_PRT") + 4..];
    assert_eq!((rest[0], rest[3]), (0x12, 128));
    rest = &rest[4..];
    for device in 0..32u8 {
        for pin in 0..4u8 {
            // Package of four: address, pin, no link device, interrupt.
            assert_eq!((rest[0], rest[2]), (0x12, 4));
            let (entry, more) = rest.split_at(1 + usize::from(rest[1]));
            let address =
                if device == 0 { vec![0x0b, 0xff, 0xff] } else { vec![0x0c, 0xff, 0xff, device, 0] };
            assert!(entry[3..].starts_with(&address), "{device}.{pin}: {entry:x?}");
            let pin_bytes = if pin < 2 { vec![pin] } else { vec![0x0a, pin] };
            let gsi = pci_intx_gsi(device, pin) as u8;
            let want = [pin_bytes, vec![0, 0x0a, gsi]].concat();
            assert_eq!(entry[3 + address.len()..], want, "{device}.{pin}");
            rest = more;
        }
    }
}

#[test]
fn dsdt_windows_are_those_of_the_layout() {
    let tables = AcpiTables::new(&shape(1, None)).unwrap();
    let dsdt = dsdt(&tables);
    let pci = Layout::new(3 << 30, 40, &BarRoom::default()).unwrap().pci();
    let low = &dsdt[position(dsdt, &[0x87, 0x17, 0, 0])..];
    assert_eq!((long(low, 10), long(low, 14), long(low, 22)), (0x8000_0000, 0xdfff_ffff, 0x6000_0000));
    let high = &dsdt[position(dsdt, &[0x8a, 0x2b, 0, 0])..];
    let window = pci.mmio64.unwrap();
    assert_eq!((quad(high, 14), quad(high, 22), quad(high, 38)), (window.start(), window.last(), 64 << 30));
    let ports = &dsdt[position(dsdt, &[0x88, 0x0d, 0, 1])..];
    assert_eq!((word(ports, 8), word(ports, 10)), (0x1000, 0xffff));
    let fixed = &dsdt[position(dsdt, &[0x86, 9, 0])..];
    assert_eq!((long(fixed, 4), long(fixed, 8)), (0xe000_0000, 0x1000_0000));
}

#[test]
fn without_room_above_there_is_no_high_window() {
    let pci = PciShape { mmio64: None, ..Layout::new(3 << 30, 40, &BarRoom::default()).unwrap().pci() };
    let tables = AcpiTables::new(&AcpiShape { pci, ..shape(1, None) }).unwrap();
    assert!(!dsdt(&tables).windows(4).any(|part| part == [0x8a, 0x2b, 0, 0]));
}
