//! Inside a guest: a process that holds a device makes an access to it that no monitor can answer, by an instruction that KVM
//! cannot take apart. It must end that process, and not the machine.
//!
//! The place is the page of the MSI-X table, which a monitor keeps for itself on every device; a plain read of it before, which
//! must be answered, shows that it was the instruction.

use std::env;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use data_model::Span;
use vfio::{AssignedDevice, Device, PciRegion};

use crate::binding::{bind, find_nvme};
use crate::host::Held;

/// What ends the process: SIGBUS for an external abort, SIGILL for an undefined instruction.
const SIGNAL: i32 = if cfg!(target_arch = "aarch64") { 7 } else { 4 };
const ANSWERED: &str = "a plain read was answered";

const COMMAND: u64 = 0x04;
const DECODE_MEMORY: u16 = 2;
const CAPABILITIES: u64 = 0x34;
const MSIX: u8 = 0x11;
/// Offset into the capability: where the table is; the BAR in the low three bits.
const TABLE: u64 = 4;
/// More capabilities than fit into the configuration space.
const MOST: usize = 48;

/// Has another process make the access, and looks at what has become of it.
pub fn run() -> Result<String> {
    let address = find_nvme()?;
    bind(&address, "vfio-pci")?;
    let mut victim = Command::new(env::current_exe()?);
    let ended =
        victim.args(["awkward", "--victim", &address]).output().context("starting another process")?;
    let told = String::from_utf8_lossy(&ended.stdout);
    ensure!(told.contains(ANSWERED), "the other process came to nothing: {told}{ended:?}");
    ensure!(
        ended.status.signal() == Some(SIGNAL),
        "the other process was to end by signal {SIGNAL}: {ended:?}"
    );
    bind(&address, "nvme")?;
    Ok(format!("awkward: the access ended its process, by signal {SIGNAL}"))
}

/// Makes the access; does not come back.
pub fn suffer(address: &str) -> Result<()> {
    let held = Held::open(address)?;
    let device = &held.device;
    let mut command = [0; 2];
    device.read(PciRegion::Config, COMMAND, &mut command)?;
    let command = u16::from_le_bytes(command) | DECODE_MEMORY;
    device.write(PciRegion::Config, COMMAND, &command.to_le_bytes())?;
    let (bar, offset) = msix_table(device)?;
    let page = Span::from_len(offset & !0xfff, 0x1000).context("no page of the MSI-X table")?;
    let region = device.map(PciRegion::Bar(bar), page).context("mapping the page of the MSI-X table")?;
    let inside = (offset & 0xfff) as usize;
    region.read_word::<u32>(inside).context("reading the MSI-X table")?;
    println!("{ANSWERED}");
    region.read_awkwardly(inside)?;
    anyhow::bail!("the access was answered");
}

/// The BAR of the MSI-X table, and its offset there.
fn msix_table(device: &Device) -> Result<(u8, u64)> {
    let byte = |offset| {
        let mut byte = [0];
        device.read(PciRegion::Config, offset, &mut byte).map(|()| byte[0])
    };
    let mut place = u64::from(byte(CAPABILITIES)?);
    for _ in 0..MOST {
        ensure!(place >= 0x40, "the device has no MSI-X");
        if byte(place)? == MSIX {
            let mut table = [0; 4];
            device.read(PciRegion::Config, place + TABLE, &mut table)?;
            let table = u32::from_le_bytes(table);
            return Ok(((table & 7) as u8, u64::from(table & !7)));
        }
        place = u64::from(byte(place + 1)?);
    }
    anyhow::bail!("the capabilities of the device have no end")
}
