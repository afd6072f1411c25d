//! Puts a Linux kernel and all it needs into guest memory.
//!
//! RAM: the device tree in the first 2 MiB, the kernel behind it, the initial RAM disk as high as it fits in the 32 GiB
//! that a kernel promises to reach.

use std::io::{Read, Seek};

use base::GuestMem;
use data_model::Span;

use super::image::{self, Image};
use super::{FdtShape, Layout, Seeds, device_tree};
use crate::guest_files::{check_cmdline, load_initrd, write};
use crate::{BootFiles, LoadError, ViommuShape};

pub use super::fdt::UART_CLOCK;

const DEVICE_TREE_ROOM: u64 = 2 << 20;
const INITRD_REACH: u64 = 32 << 30;
/// What kernels of this architecture read.
const CMDLINE_MOST: usize = 2047;

/// What a guest starts with.
#[derive(Debug)]
pub struct Boot<'a> {
    /// Kernel, initial RAM disk, command line.
    pub files: BootFiles<'a>,
    /// The affinity number (MPIDR) of each processor; the first one boots.
    pub mpidrs: &'a [u64],
    /// The virtual IOMMU, where there is one.
    pub viommu: Option<&'a ViommuShape>,
    /// Random bytes to start with.
    pub seeds: Option<Seeds>,
}

/// Where the first processor starts: at EL1, interrupts masked, caches and translation off. The other processors wait to be
/// woken by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryPoint {
    /// First instruction.
    pub pc: u64,
    /// Address of the device tree, which goes into X0; X1 to X3 are 0.
    pub dtb: u64,
}

/// The affinity number that KVM gives to processor `cpu`: 16 of them share their higher fields.
pub const fn default_mpidr(cpu: u32) -> u64 {
    let cpu = cpu as u64;
    (cpu & 0xf) | ((cpu >> 4) & 0xff) << 8 | ((cpu >> 12) & 0xff) << 16
}

/// Fills guest memory and says where the first processor starts.
pub fn load(mem: &GuestMem, layout: &Layout, boot: Boot<'_>) -> Result<EntryPoint, LoadError> {
    let BootFiles { kernel, initrd, cmdline } = boot.files;
    check_cmdline(cmdline, CMDLINE_MOST)?;
    let mut file = Vec::new();
    kernel.rewind().map_err(LoadError::KernelUnreadable)?;
    kernel.by_ref().take(image::MOST + 1).read_to_end(&mut file).map_err(LoadError::KernelUnreadable)?;
    if file.len() as u64 > image::MOST {
        return Err(LoadError::KernelRefused(format!("its file has more than {} bytes", image::MOST)));
    }
    let image = Image::read(file)?;
    let ram = layout.ram_span();
    let place = place_kernel(ram, &image)?;
    write(mem, "the kernel", place.start(), &image.bytes)?;
    let initrd = match initrd {
        Some(file) => load_initrd(mem, file, initrd_room(ram, place))?,
        None => None,
    };
    let (mpidrs, viommu, seeds) = (boot.mpidrs, boot.viommu, boot.seeds);
    let blob = device_tree(&FdtShape { layout, mpidrs, viommu, cmdline, initrd, seeds })?;
    write(mem, "the device tree", ram.start(), &blob)?;
    Ok(EntryPoint { pc: place.start(), dtb: ram.start() })
}

/// Where the kernel goes, with all that it needs there.
fn place_kernel(ram: Span, image: &Image) -> Result<Span, LoadError> {
    let base = ram.start() + DEVICE_TREE_ROOM;
    let need = image.text_offset.saturating_add(image.footprint);
    let room = (ram.last() - base).saturating_add(1);
    base.checked_add(image.text_offset)
        .and_then(|start| Span::from_len(start, image.footprint))
        .filter(|place| ram.covers(place))
        .ok_or(LoadError::KernelTooBig { need, room })
}

/// The RAM behind the kernel that the initial RAM disk may lie in.
fn initrd_room(ram: Span, kernel: Span) -> Option<Span> {
    let reach = Span::from_len(ram.start(), INITRD_REACH)?;
    Span::new(kernel.next()?, ram.last().min(reach.last()))
}

#[cfg(test)]
mod tests;
