//! MADT: processors and interrupt controllers.

use acpi_tables::sdt::Sdt;

use super::{OEM, OEM_REVISION, OEM_TABLE};
use crate::x86_64::layout::{IOAPIC, LAPIC};
use crate::x86_64::ports::SCI_GSI;

const REVISION: u8 = 5;
const HEADER: u32 = 36;
/// There is a pair of 8259 controllers too, which the kernel must mask.
const PCAT_COMPAT: u32 = 1;
const ENABLED: u32 = 1;
const CONFORMS_TO_BUS: u16 = 0;
const LEVEL_ACTIVE_HIGH: u16 = 0b1101;
/// The last id that fits a local interrupt controller's 8 bits; 255 means all of them.
const LAST_SHORT_ID: u32 = 254;

/// The table for `cpus` processors.
pub(super) fn bytes(cpus: u32, pit: bool) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend((LAPIC.start() as u32).to_le_bytes());
    body.extend(PCAT_COMPAT.to_le_bytes());
    (0..cpus).for_each(|cpu| processor(&mut body, cpu));
    ioapic(&mut body, cpus);
    if pit {
        interrupt_override(&mut body, 0, 2, CONFORMS_TO_BUS);
    }
    interrupt_override(&mut body, SCI_GSI as u8, SCI_GSI, LEVEL_ACTIVE_HIGH);
    let mut table = Sdt::new(*b"APIC", HEADER, REVISION, OEM, OEM_TABLE, OEM_REVISION);
    table.append_slice(&body);
    table.as_slice().to_vec()
}

fn processor(body: &mut Vec<u8>, cpu: u32) {
    if cpu <= LAST_SHORT_ID {
        body.extend([0, 8, cpu as u8, cpu as u8]);
        body.extend(ENABLED.to_le_bytes());
    } else {
        body.extend([9, 16, 0, 0]);
        for word in [cpu, ENABLED, cpu] {
            body.extend(word.to_le_bytes());
        }
    }
}

/// The I/O controller's id must not be a processor's where both are 8 bits; 0 is what hypervisors use and kernels accept.
fn ioapic(body: &mut Vec<u8>, cpus: u32) {
    let id = if cpus <= LAST_SHORT_ID { cpus as u8 } else { 0 };
    body.extend([1, 12, id, 0]);
    body.extend((IOAPIC.start() as u32).to_le_bytes());
    body.extend(0u32.to_le_bytes());
}

fn interrupt_override(body: &mut Vec<u8>, source: u8, gsi: u32, flags: u16) {
    let isa = 0;
    body.extend([2, 10, isa, source]);
    body.extend(gsi.to_le_bytes());
    body.extend(flags.to_le_bytes());
}
