//! FADT: the fixed power management registers and what a PC would have that this machine does not.

use acpi_tables::fadt::{FADTBuilder, Flags};
use acpi_tables::gas::{AccessSize, AddressSpace, GAS};

use super::{OEM, OEM_REVISION, OEM_TABLE, bytes_of};
use crate::x86_64::ports::{
    PM1A_CONTROL, PM1A_CONTROL_LEN, PM1A_EVENT, PM1A_EVENT_LEN, RESET, RESET_VALUE, SCI_GSI,
};

const NO_VGA: u16 = 1 << 2;
const NO_CMOS_CLOCK: u16 = 1 << 5;
/// Latencies beyond which a kernel takes the sleep states C2 and C3 as absent, in microseconds.
const NO_C2: u16 = 101;
const NO_C3: u16 = 1001;

/// The table. The power button is the fixed one of the event block (its flag stays 0); there is no sleep button.
pub(super) fn bytes(dsdt: u64, facs: u64) -> Vec<u8> {
    let mut table = FADTBuilder::new(OEM, OEM_TABLE, OEM_REVISION)
        .dsdt_64(dsdt)
        .firmware_ctrl_64(facs)
        .flag(Flags::Wbinvd)
        .flag(Flags::SlpButton)
        .flag(Flags::FixRtc)
        .flag(Flags::ResetRegSup);
    table.sci_int = (SCI_GSI as u16).into();
    table.pm1a_evt_blk = u32::from(PM1A_EVENT).into();
    table.pm1_evt_len = PM1A_EVENT_LEN;
    table.pm1a_cnt_blk = u32::from(PM1A_CONTROL).into();
    table.pm1_cnt_len = PM1A_CONTROL_LEN;
    table.x_pm1a_evt_blk = port(PM1A_EVENT, PM1A_EVENT_LEN, AccessSize::WordAccess);
    table.x_pm1a_cnt_blk = port(PM1A_CONTROL, PM1A_CONTROL_LEN, AccessSize::WordAccess);
    table.p_lvl2_lat = NO_C2.into();
    table.p_lvl3_lat = NO_C3.into();
    // No keyboard controller is told of: a kernel would look for its keyboard and mouse, which takes it longer than anything else
    // at its start. The ports are there all the same, for kernels that reset by them without asking.
    table.iapc_boot_arch = (NO_VGA | NO_CMOS_CLOCK).into();
    table.reset_reg = port(RESET, 1, AccessSize::ByteAccess);
    table.reset_value = RESET_VALUE;
    bytes_of(&table.finalize())
}

fn port(at: u16, bytes: u8, access: AccessSize) -> GAS {
    GAS::new(AddressSpace::SystemIo, bytes * 8, 0, access, at.into())
}
