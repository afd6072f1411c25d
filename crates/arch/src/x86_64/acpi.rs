//! The ACPI tables, in the memory below 1 MiB where a kernel looks for them.
//!
//! Invariants: the root pointer lies at [`AcpiTables::RSDP`]; every table starts on a 64-byte boundary; all end below
//! 1 MiB. The machine is always in ACPI mode: there is no SMI command port to enter or leave it.

use acpi_tables::Aml;
use acpi_tables::facs::FACS;
use acpi_tables::mcfg::MCFG;
use acpi_tables::rsdp::Rsdp;
use acpi_tables::xsdt::XSDT;
use data_model::Span;
use thiserror::Error;

use crate::{PciShape, TopologyError, ViommuShape};

mod dsdt;
mod fadt;
mod madt;
mod viot;

const PLACE: u64 = 0xe_0000;
const ROOM: usize = 0x2_0000;
const ALIGN: usize = 64;
const OEM: [u8; 6] = *b"MIXVM ";
const OEM_TABLE: [u8; 8] = *b"MIXVM   ";
const OEM_REVISION: u32 = 1;
/// More processors than any kernel of this architecture takes.
const MOST_CPUS: u32 = 4096;

/// What the tables describe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcpiShape {
    /// Number of processors; their interrupt controller ids are 0, 1, 2 …
    pub cpus: u32,
    /// The PCI host bridge.
    pub pci: PciShape,
    /// The virtual IOMMU, where there is one.
    pub viommu: Option<ViommuShape>,
    /// Whether there is an interval timer (PIT), whose interrupt 0 comes in at pin 2.
    pub pit: bool,
}

/// Why there are no tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AcpiError {
    /// No processor or too many.
    #[error("{0} processors cannot be described to the guest; 1 to {MOST_CPUS} can")]
    Cpus(u32),
    /// The virtual IOMMU cannot be described.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// The tables do not fit below 1 MiB.
    #[error(
        "the ACPI tables need {need} bytes, there are {ROOM}; put fewer endpoints behind the virtual IOMMU"
    )]
    TooBig {
        /// Bytes they need.
        need: usize,
    },
}

/// The tables as bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcpiTables(Vec<u8>);

impl AcpiTables {
    /// Where the root pointer lies, and the first byte of the tables.
    pub const RSDP: u64 = PLACE;

    /// The tables of a machine of this shape.
    pub fn new(shape: &AcpiShape) -> Result<AcpiTables, AcpiError> {
        if !(1..=MOST_CPUS).contains(&shape.cpus) {
            return Err(AcpiError::Cpus(shape.cpus));
        }
        let mut area = Area::after_root();
        let facs = area.put(&bytes_of(&FACS::new()));
        let dsdt = area.put(&dsdt::bytes(&shape.pci));
        let mut listed = vec![
            area.put(&fadt::bytes(dsdt, facs)),
            area.put(&madt::bytes(shape.cpus, shape.pit)),
            area.put(&mcfg(&shape.pci)),
        ];
        if let Some(viommu) = &shape.viommu {
            listed.push(area.put(&viot::bytes(viommu)?));
        }
        let mut xsdt = XSDT::new(OEM, OEM_TABLE, OEM_REVISION);
        listed.iter().for_each(|table| xsdt.add_entry(*table));
        let xsdt = area.put(&bytes_of(&xsdt));
        area.finish(&bytes_of(&Rsdp::new(OEM, xsdt)))
    }

    /// The bytes, to be written at [`AcpiTables::RSDP`].
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The memory kept for tables, however many there are; the guest's memory map has to show it as reserved.
    pub fn room() -> Span {
        crate::span_map::fixed(PLACE, PLACE + ROOM as u64 - 1)
    }
}

/// Tables, one after the other, behind the place of the root pointer.
struct Area(Vec<u8>);

impl Area {
    fn after_root() -> Area {
        Area(vec![0; Rsdp::len()])
    }

    /// Adds a table and says where it lies.
    fn put(&mut self, table: &[u8]) -> u64 {
        self.0.resize(self.0.len().next_multiple_of(ALIGN), 0);
        let at = PLACE + self.0.len() as u64;
        self.0.extend_from_slice(table);
        at
    }

    fn finish(self, root: &[u8]) -> Result<AcpiTables, AcpiError> {
        if self.0.len() > ROOM {
            return Err(AcpiError::TooBig { need: self.0.len() });
        }
        let tables = self.0.into_iter().skip(root.len());
        Ok(AcpiTables(root.iter().copied().chain(tables).collect()))
    }
}

fn mcfg(pci: &PciShape) -> Vec<u8> {
    let mut table = MCFG::new(OEM, OEM_TABLE, OEM_REVISION);
    table.add_ecam(pci.ecam.start(), 0, 0, pci.last_bus);
    bytes_of(&table)
}

fn bytes_of(table: &dyn Aml) -> Vec<u8> {
    let mut bytes = Vec::new();
    table.to_aml_bytes(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests;
