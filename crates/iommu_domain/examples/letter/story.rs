//! The story, as paragraphs. Each number in it comes from the model, none is written down.

use std::fmt::Write;

use data_model::Span;
use iommu_domain::Perm;
use iommu_domain::mixed::{
    Access, Config, ConfigError, Device, Failure, Fault, LINUX_WINDOW, MapRequest, Message, MixedDomain,
    MsiPolicy, Target, Translation, Type1Kernel,
};
use thiserror::Error;

use super::scene::{draw, size};

/// A doorbell of an interrupt controller: GITS_TRANSLATER of a GICv3 ITS.
pub const DOORBELL: u64 = 0x0809_0040;
/// What the device's driver wants written there.
pub const MESSAGE: Message = Message { address: DOORBELL, data: 0x2a };
const PAGE: u64 = 0x1000;
const BLOCK: u64 = 0x20_0000;

/// The story went another way than it is told.
#[derive(Debug, Error)]
pub enum Error {
    /// A domain could not be made.
    #[error("cannot make the domain: {0}")]
    Config(#[from] ConfigError),
    /// A step was refused.
    #[error("a step was refused: {0}")]
    Refused(#[from] Failure),
    /// An access went nowhere.
    #[error("an access went nowhere: {0}")]
    Fault(#[from] Fault),
    /// A step went through that should not have.
    #[error("this should have been refused: {0}")]
    Accepted(&'static str),
    /// A range that is none.
    #[error("no such range")]
    NoRange,
}

/// The whole story.
pub fn tell() -> Result<String, Error> {
    let mut text = String::new();
    for chapter in [seed, block, top_down, published, fixed] {
        text.push_str(&chapter()?);
        text.push('\n');
    }
    Ok(text)
}

/// Guest memory as a VMM maps it: low memory up to the hole of the devices, the rest above 4 GiB.
fn guest(policy: MsiPolicy, config: Config) -> Result<MixedDomain, Error> {
    let mut domain = MixedDomain::new(Config { policy, ..config })?;
    domain.attach(Device { dma_mask: 0xffff_ffff, ..Device::new(1) })?;
    for (iova, len, offset) in [(0x4000_0000, 0x8000_0000, 0), (0x1_0000_0000, 0x4000_0000, 0x8000_0000)] {
        domain.map(ram(iova, len, offset))?;
    }
    Ok(domain)
}

fn letter() -> Result<Config, Error> {
    Ok(Config::seed(Span::from_len(0, 1 << 33).ok_or(Error::NoRange)?))
}

fn ram(iova: u64, len: u64, offset: u64) -> MapRequest {
    MapRequest::new(iova, len, Target::Ram { backing: 0, offset }, Perm::READ_WRITE)
}

fn seed() -> Result<String, Error> {
    let mut domain = guest(MsiPolicy::SeedHoles, letter()?)?;
    let mut text =
        String::from("1. The letter: the user maps its slots, the kernel finds a hole for the doorbell.\n\n");
    let _ = writeln!(text, "  The aperture {} covers the guest's memory.", domain.config().aperture);
    let iova = domain.msi_prepare(1, DOORBELL)?;
    let composed = domain.compose(1, MESSAGE).message;
    let _ = write!(text, "{}", draw(&domain));
    let _ = writeln!(
        text,
        "  The device is told to write {:#x} to {:#x} instead of {DOORBELL:#x},",
        composed.data, composed.address
    );
    let Translation::Doorbell { phys } = domain.translate(1, iova, Access::Write)? else {
        return Err(Error::Accepted("a doorbell that leads to memory"));
    };
    let _ = writeln!(
        text,
        "  and the IOMMU takes that write to {phys:#x}. The user chose nothing and knows nothing."
    );
    Ok(text)
}

fn block() -> Result<String, Error> {
    let mut domain = guest(MsiPolicy::SeedHoles, letter()?)?;
    let iova = domain.msi_prepare(1, DOORBELL)?;
    let block = ram(iova & !(BLOCK - 1), BLOCK, 0);
    let refused = domain.map(block).err().ok_or(Error::Accepted("a block over the doorbell"))?;
    let mut text = String::from("2. Memory is plugged in where the hole was.\n\n");
    let _ = writeln!(
        text,
        "  The letter's code mapped a block of 2 MiB over the page: the page was gone, interrupts wrote into"
    );
    let _ = writeln!(text, "  guest memory, and nobody was told. Here the block is refused:");
    let _ = writeln!(text, "    {refused}");
    let still = domain.translate(1, iova, Access::Write)?;
    let _ = writeln!(text, "  The doorbell still works ({still:x?}).");
    let _ = writeln!(text, "  But the user was told that these ranges are free:");
    for range in domain.ranges() {
        let _ = writeln!(text, "    {range} ({})", size(range));
    }
    Ok(text)
}

fn top_down() -> Result<String, Error> {
    let mut domain = MixedDomain::new(letter()?)?;
    domain.attach(Device { dma_mask: 0xffff_ffff, ..Device::new(1) })?;
    domain.msi_prepare(1, DOORBELL)?;
    let mut text = String::from(
        "3. The user is a guest behind a virtual IOMMU, and allocates from the top of 4 GiB downwards.\n\n",
    );
    let first = 0x1_0000_0000 - PAGE;
    let refused = domain.map(ram(first, PAGE, 0)).err().ok_or(Error::Accepted("the guest's first page"))?;
    let _ = writeln!(text, "  So does the kernel. The guest's very first mapping, {first:#x}, fails:");
    let _ = writeln!(text, "    {refused}");
    Ok(text)
}

fn published() -> Result<String, Error> {
    let window = LINUX_WINDOW.ok_or(Error::NoRange)?;
    let mut domain = guest(MsiPolicy::Published { window }, letter()?)?;
    let mut text = String::from(
        "4. Published: the same holes, inside a window that the guest is told of beforehand.\n\n",
    );
    let iova = domain.msi_prepare(1, DOORBELL)?;
    let _ = write!(text, "{}", draw(&domain));
    let _ = writeln!(text, "  Message: {:#x}. What the guest may map, for good:", iova);
    let ranges = domain.publish();
    for range in &ranges {
        let _ = writeln!(text, "    {range}");
    }
    let refused =
        domain.map(ram(window.start(), PAGE, 0)).err().ok_or(Error::Accepted("a map in the window"))?;
    let _ = writeln!(text, "  In the window it is refused whether or not a page is there: {refused}.");
    domain.unmap_all();
    for range in &ranges {
        domain.map(ram(range.start(), range.len().ok_or(Error::NoRange)?, 0))?;
    }
    let _ = writeln!(text, "  Everything else can be mapped, all of it at once.");
    Ok(text)
}

fn fixed() -> Result<String, Error> {
    let window = LINUX_WINDOW.ok_or(Error::NoRange)?;
    let policy = MsiPolicy::FixedType1 { window, kernel_bug_unbounded: true };
    let config = Config::type1(letter()?.aperture, Type1Kernel::V7_3);
    let mut domain = guest(policy, config)?;
    let mut text = String::from(
        "5. FixedType1: what Linux does since 4.11. The window stands still, pages go up from its start.\n\n",
    );
    for doorbell in [DOORBELL, DOORBELL + 0x2_0000] {
        domain.msi_prepare(1, doorbell)?;
    }
    let _ = write!(text, "{}", draw(&domain));
    for n in 0..window.len().ok_or(Error::NoRange)? / PAGE - 2 {
        domain.msi_prepare(1, (1 << 40) + n * PAGE)?;
    }
    let past = domain.msi_prepare(1, 1 << 50)?;
    let _ = writeln!(
        text,
        "  The kernel never looks at the window's end: doorbell 257 gets {past:#x}, where users may map."
    );
    Ok(text)
}
