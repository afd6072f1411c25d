//! DSDT: the devices a kernel cannot find by itself, and how to power off.

use acpi_tables::Aml;
use acpi_tables::aml::{
    AddressSpace, AddressSpaceCacheable, Arg, CreateDWordField, Device, EISAName, Else, Equal, IO, If,
    Interrupt, Memory32Fixed, Method, Name, NotEqual, ONE, Or, Package, PackageBuilder, Path,
    ResourceTemplate, Return, Uuid, ZERO,
};
use acpi_tables::sdt::Sdt;
use data_model::Span;

use super::{OEM, OEM_REVISION, OEM_TABLE, bytes_of};
use crate::PciShape;
use crate::x86_64::ports::{
    COM1, COM1_GSI, PCI_CONFIG_ADDRESS, PCI_IO_FIRST, PCI_IO_LAST, PM1A_CONTROL_LEN, PM1A_EVENT,
    PM1A_EVENT_LEN, S5_SLEEP_TYPE, pci_intx_gsi,
};

/// From revision 2 on, integers have 64 bits.
const REVISION: u8 = 2;
const HEADER: u32 = 36;
const ROOT_DEVICES: u8 = 32;
const PINS: u8 = 4;
const PCIE_CONTROL: &str = "33DB4D5B-1FF7-401C-9657-7441C03DD766";

/// The table.
pub(super) fn bytes(pci: &PciShape) -> Vec<u8> {
    let mut table = Sdt::new(*b"DSDT", HEADER, REVISION, OEM, OEM_TABLE, OEM_REVISION);
    for part in [power_off(), board(pci), serial(), host_bridge(pci)] {
        table.append_slice(&part);
    }
    table.as_slice().to_vec()
}

/// `\_S5`: what to write to the control registers (there is only the first) to power off.
fn power_off() -> Vec<u8> {
    let package = Package::new(vec![&S5_SLEEP_TYPE, &S5_SLEEP_TYPE, &ZERO, &ZERO]);
    bytes_of(&Name::new("\\_S5_".into(), &package))
}

/// What no other device owns: configuration space (a kernel uses it only where it finds it reserved) and the power registers.
fn board(pci: &PciShape) -> Vec<u8> {
    let ecam = Memory32Fixed::new(true, pci.ecam.start() as u32, pci.ecam.len().unwrap_or(0) as u32);
    let power = IO::new(PM1A_EVENT, PM1A_EVENT, 1, PM1A_EVENT_LEN + PM1A_CONTROL_LEN);
    let id = Name::new("_HID".into(), &EISAName::new("PNP0C02"));
    let resources = Name::new("_CRS".into(), &ResourceTemplate::new(vec![&ecam, &power]));
    bytes_of(&Device::new("\\_SB_.MBRD".into(), vec![&id, &resources]))
}

fn serial() -> Vec<u8> {
    let (edge, active_low, shared) = (true, false, false);
    let ports = IO::new(COM1, COM1, 1, 8);
    let interrupt = Interrupt::new(true, edge, active_low, shared, COM1_GSI);
    let id = Name::new("_HID".into(), &EISAName::new("PNP0501"));
    let number = Name::new("_UID".into(), &ZERO);
    let resources = Name::new("_CRS".into(), &ResourceTemplate::new(vec![&ports, &interrupt]));
    bytes_of(&Device::new("\\_SB_.COM1".into(), vec![&id, &number, &resources]))
}

fn host_bridge(pci: &PciShape) -> Vec<u8> {
    let id = Name::new("_HID".into(), &EISAName::new("PNP0A08"));
    let compatible = Name::new("_CID".into(), &EISAName::new("PNP0A03"));
    let numbers = ["_UID", "_SEG", "_BBN"].map(|name| Name::new(name.into(), &ZERO));
    let windows = Raw(windows(pci));
    let routes = Raw(routes());
    let control = Raw(native_control());
    let mut parts: Vec<&dyn Aml> = vec![&id, &compatible];
    parts.extend(numbers.iter().map(|name| name as &dyn Aml));
    parts.extend([&windows as &dyn Aml, &routes, &control]);
    bytes_of(&Device::new("\\_SB_.PCI0".into(), parts))
}

/// `_CRS`: bus numbers, the configuration ports, and the windows BARs may be in.
fn windows(pci: &PciShape) -> Vec<u8> {
    let buses = AddressSpace::new_bus_number(0u16, u16::from(pci.last_bus));
    let config = IO::new(PCI_CONFIG_ADDRESS, PCI_CONFIG_ADDRESS, 1, 8);
    let ports = AddressSpace::new_io(PCI_IO_FIRST, PCI_IO_LAST, None);
    let low = (pci.mmio32.start() as u32, pci.mmio32.last() as u32);
    let low = AddressSpace::new_memory(AddressSpaceCacheable::NotCacheable, true, low.0, low.1, None);
    let high = pci.mmio64.map(|span: Span| {
        AddressSpace::new_memory(AddressSpaceCacheable::NotCacheable, true, span.start(), span.last(), None)
    });
    let mut parts: Vec<&dyn Aml> = vec![&buses, &config, &ports, &low];
    parts.extend(high.iter().map(|window| window as &dyn Aml));
    bytes_of(&Name::new("_CRS".into(), &ResourceTemplate::new(parts)))
}

/// `_PRT`: the interrupt of each pin of each device on the root bus.
fn routes() -> Vec<u8> {
    let mut table = PackageBuilder::new();
    for device in 0..ROOT_DEVICES {
        for pin in 0..PINS {
            let address = u32::from(device) << 16 | 0xffff;
            let gsi = pci_intx_gsi(device, pin);
            table.add_element(&Package::new(vec![&address, &pin, &ZERO, &gsi]));
        }
    }
    bytes_of(&Name::new("_PRT".into(), &table))
}

/// `_OSC`: leaves every control bit as the kernel asked, which grants it, and refuses what it does not know.
fn native_control() -> Vec<u8> {
    let (status, unknown_id, unknown_revision) = (Path::new("CDW1"), 4u8, 8u8);
    let field = CreateDWordField::new(&status, &Arg(3), &ZERO);
    let id = Uuid::new(PCIE_CONTROL);
    let bad_revision = Or::new(&status, &status, &unknown_revision);
    let check_revision = NotEqual::new(&Arg(1), &ONE);
    let refuse_revision = If::new(&check_revision, vec![&bad_revision]);
    let is_pcie = Equal::new(&Arg(0), &id);
    let known = If::new(&is_pcie, vec![&refuse_revision]);
    let bad_id = Or::new(&status, &status, &unknown_id);
    let unknown = Else::new(vec![&bad_id]);
    let answer = Return::new(&Arg(3));
    bytes_of(&Method::new("_OSC".into(), 4, false, vec![&field, &known, &unknown, &answer]))
}

/// A part that already is bytes.
struct Raw(Vec<u8>);

impl Aml for Raw {
    fn to_aml_bytes(&self, sink: &mut dyn acpi_tables::AmlSink) {
        sink.vec(&self.0);
    }
}
