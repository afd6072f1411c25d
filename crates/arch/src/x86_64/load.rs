//! Puts a Linux kernel and all it needs into guest memory: bzImage or ELF (vmlinux), started by the 64-bit boot protocol.
//!
//! Low memory: segment table at 0x500, boot parameters at 0x7000, page tables at 0x9000, command line at 0x20000, ACPI
//! tables from 0xe0000; the kernel from 1 MiB on, the initial RAM disk as high below 4 GiB as it fits.

use std::fs::File;
use std::io::{Read, Seek};

use base::GuestMem;
use data_model::Span;
use linux_loader::loader::{BzImage, Elf, KernelLoader};
use vm_memory::GuestAddress;

use super::zero_page::{self, Memory, ZeroPage};
use super::{AcpiShape, AcpiTables, EntryPoint, Layout, page_tables, segments};
use crate::guest_files::{check_cmdline, load_initrd, write};
use crate::{BootFiles, LoadError};

mod setup_header;
use setup_header::SetupHeader;

const HIGH_MEMORY: u64 = 0x10_0000;
const CMDLINE: u64 = 0x2_0000;
/// Room for the command line, whatever the kernel says that it reads.
const CMDLINE_MOST: usize = 0xffff;
/// What a kernel without a setup header reads.
const CMDLINE_OF_ELF: usize = 2047;
const LOW_LAST: u64 = 0x9_ffff;
const ENTRY_64: u64 = 0x200;
const KNOWN: &str = "a Linux bzImage or an ELF vmlinux for x86_64";

/// What a guest starts with.
#[derive(Debug)]
pub struct Boot<'a> {
    /// Kernel, initial RAM disk, command line.
    pub files: BootFiles<'a>,
    /// What the tables describe.
    pub acpi: &'a AcpiShape,
}

/// A kernel in guest memory.
struct Kernel {
    entry: u64,
    /// What it occupies until it gives up what it was loaded with.
    last: u64,
    page: ZeroPage,
    cmdline_limit: usize,
    initrd_last: u64,
}

/// Fills guest memory and says where the first processor starts.
pub fn load(mem: &GuestMem, layout: &Layout, boot: Boot<'_>) -> Result<EntryPoint, LoadError> {
    let BootFiles { kernel, initrd, cmdline } = boot.files;
    let tables = AcpiTables::new(boot.acpi)?;
    let Kernel { entry, last, mut page, cmdline_limit, initrd_last } = load_kernel(mem, layout, kernel)?;
    check_cmdline(cmdline, cmdline_limit)?;
    if let Some(file) = initrd {
        let room = last.checked_add(1).and_then(|start| Span::new(start, initrd_last));
        if let Some(span) = load_initrd(mem, file, room)? {
            page.initrd(span);
        }
    }
    page.cmdline(CMDLINE as u32);
    page.rsdp(AcpiTables::RSDP);
    page.memory(&memory_map(layout));
    write(mem, "the kernel command line", CMDLINE, cmdline.as_bytes())?;
    write(mem, "the end of the kernel command line", CMDLINE + cmdline.len() as u64, &[0])?;
    write(mem, "the boot parameters", zero_page::ADDRESS, page.bytes())?;
    write(mem, "the ACPI tables", AcpiTables::RSDP, tables.bytes())?;
    write(mem, "the segment table", segments::GDT, &segments::table())?;
    write(mem, "the page tables", page_tables::ADDRESS, &page_tables::bytes())?;
    Ok(EntryPoint::new(entry, zero_page::ADDRESS))
}

fn load_kernel(mem: &GuestMem, layout: &Layout, file: &mut File) -> Result<Kernel, LoadError> {
    let mut head = Vec::new();
    file.rewind().map_err(LoadError::KernelUnreadable)?;
    file.by_ref().take(setup_header::HEAD).read_to_end(&mut head).map_err(LoadError::KernelUnreadable)?;
    if let Some(header) = SetupHeader::find(&head) {
        load_bzimage(mem, layout, file, &header)
    } else if head.starts_with(b"\x7fELF") {
        load_elf(mem, layout, file)
    } else {
        Err(LoadError::NotAKernel { found: setup_header::guess(&head), known: KNOWN })
    }
}

fn load_bzimage(
    mem: &GuestMem,
    layout: &Layout,
    file: &mut File,
    header: &SetupHeader<'_>,
) -> Result<Kernel, LoadError> {
    if !header.has_64_bit_entry() {
        let why = "it has no 64-bit entry point (boot protocol 2.12); build it for x86_64";
        return Err(LoadError::KernelRefused(why.into()));
    }
    let size = file.metadata().map_err(LoadError::KernelUnreadable)?.len();
    let ram_last = layout.low_ram().last();
    let last = header.last_needed(HIGH_MEMORY, size);
    if last > ram_last {
        let room = ram_last - HIGH_MEMORY + 1;
        return Err(LoadError::KernelTooBig { need: (last - HIGH_MEMORY).saturating_add(1), room });
    }
    let high = GuestAddress(HIGH_MEMORY);
    BzImage::load(mem, Some(high), file, Some(high)).map_err(refused)?;
    Ok(Kernel {
        entry: HIGH_MEMORY + ENTRY_64,
        last,
        page: ZeroPage::new(header.bytes()),
        cmdline_limit: header.cmdline_limit().min(CMDLINE_MOST),
        initrd_last: header.initrd_last().min(ram_last),
    })
}

fn load_elf(mem: &GuestMem, layout: &Layout, file: &mut File) -> Result<Kernel, LoadError> {
    let high = Some(GuestAddress(HIGH_MEMORY));
    let loaded = Elf::load(mem, None, file, high).map_err(refused)?;
    let ram = layout.low_ram();
    if loaded.kernel_end <= HIGH_MEMORY || loaded.kernel_end - 1 > ram.last() {
        let need = loaded.kernel_end.saturating_sub(HIGH_MEMORY);
        return Err(LoadError::KernelTooBig { need, room: ram.last() - HIGH_MEMORY + 1 });
    }
    Ok(Kernel {
        entry: loaded.kernel_load.0,
        last: loaded.kernel_end - 1,
        page: ZeroPage::without_header(),
        cmdline_limit: CMDLINE_OF_ELF,
        initrd_last: ram.last(),
    })
}

fn refused(error: linux_loader::loader::Error) -> LoadError {
    LoadError::KernelRefused(error.to_string())
}

/// RAM without the hole below 1 MiB, where the tables are, and configuration space.
fn memory_map(layout: &Layout) -> Vec<(Span, Memory)> {
    let low = layout.low_ram();
    let mut map = Vec::new();
    map.extend(Span::new(low.start(), LOW_LAST).map(|span| (span, Memory::Usable)));
    map.extend(Span::new(LOW_LAST + 1, HIGH_MEMORY - 1).map(|span| (span, Memory::Reserved)));
    map.extend(Span::new(HIGH_MEMORY, low.last()).map(|span| (span, Memory::Usable)));
    map.push((layout.pci().ecam, Memory::Reserved));
    map.extend(layout.ram().into_iter().skip(1).map(|span| (span, Memory::Usable)));
    map
}

#[cfg(test)]
mod tests;
