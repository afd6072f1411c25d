use std::io::Write;

use base::GuestRam;
use vm_memory::Bytes;

use super::*;
use crate::BarRoom;

const MIB: u64 = 1 << 20;

/// A bzImage whose protected-mode part is `body`.
fn bzimage(body: &[u8], init_size: u32) -> Vec<u8> {
    let mut file = vec![0u8; 0x400];
    let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
    put(0x1f1, &[1]);
    put(0x201, &[0x6a]);
    put(0x202, b"HdrS");
    put(0x206, &0x020fu16.to_le_bytes());
    put(0x211, &[1]);
    put(0x214, &0x10_0000u32.to_le_bytes());
    put(0x22c, &0x7fff_ffffu32.to_le_bytes());
    put(0x236, &1u16.to_le_bytes());
    put(0x238, &2047u32.to_le_bytes());
    put(0x258, &0x100_0000u64.to_le_bytes());
    put(0x260, &init_size.to_le_bytes());
    file.extend_from_slice(body);
    file
}

/// An ELF kernel of one segment at `address`.
fn vmlinux(body: &[u8], address: u64) -> Vec<u8> {
    let mut file = vec![0u8; 120];
    let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"\x7fELF\x02\x01\x01");
    put(24, &address.to_le_bytes());
    put(32, &64u64.to_le_bytes());
    put(54, &56u16.to_le_bytes());
    put(56, &1u16.to_le_bytes());
    put(64, &1u32.to_le_bytes());
    put(72, &120u64.to_le_bytes());
    put(88, &address.to_le_bytes());
    put(96, &(body.len() as u64).to_le_bytes());
    put(104, &(body.len() as u64 + 0x1000).to_le_bytes());
    file.extend_from_slice(body);
    file
}

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn boot(
    mib: u64,
    kernel: &[u8],
    initrd: Option<&[u8]>,
    cmdline: &str,
) -> Result<(GuestRam, EntryPoint), LoadError> {
    let layout = Layout::new(mib * MIB, 40, &BarRoom::default()).unwrap();
    let ram = GuestRam::new(&layout.ram()).unwrap();
    let acpi = AcpiShape { cpus: 1, pci: layout.pci(), viommu: None, pit: true };
    let (mut kernel, mut initrd) = (file(kernel), initrd.map(file));
    let files = BootFiles { kernel: &mut kernel, initrd: initrd.as_mut(), cmdline };
    let entry = load(&ram.mem, &layout, Boot { files, acpi: &acpi })?;
    Ok((ram, entry))
}

fn bytes(ram: &GuestRam, at: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    ram.mem.read_slice(&mut bytes, GuestAddress(at)).unwrap();
    bytes
}

fn long(ram: &GuestRam, at: u64) -> u32 {
    ram.mem.read_obj(GuestAddress(at)).unwrap()
}

#[test]
fn a_bzimage_and_all_it_needs_are_in_memory() {
    let body = vec![0xab; 0x3000];
    let disk: Vec<u8> = (0..2 * MIB + 3).map(|i| (i % 251) as u8).collect();
    let (ram, entry) = boot(64, &bzimage(&body, 0x10_0000), Some(&disk), "console=ttyS0").unwrap();
    assert_eq!((entry.rip, entry.rsi, entry.cr3), (0x10_0200, 0x7000, 0x9000));
    assert_eq!(bytes(&ram, 0x10_0000, body.len()), body);
    let page = entry.rsi;
    let cmdline = long(&ram, page + 0x228);
    assert_eq!(bytes(&ram, cmdline.into(), 14), b"console=ttyS0\0");
    let (start, size) = (long(&ram, page + 0x218), long(&ram, page + 0x21c));
    assert_eq!((size as usize, start % 4096), (disk.len(), 0));
    assert_eq!(u64::from(start), (64 * MIB - disk.len() as u64) & !4095);
    assert_eq!(bytes(&ram, start.into(), disk.len()), disk);
    let rsdp: u64 = ram.mem.read_obj(GuestAddress(page + 0x70)).unwrap();
    assert_eq!(bytes(&ram, rsdp, 8), b"RSD PTR ");
    assert_eq!(bytes(&ram, entry.gdt_base, 40), segments::table());
    assert_eq!(bytes(&ram, entry.cr3, 0x6000), page_tables::bytes());
    assert_eq!(bytes(&ram, page + 0x210, 1), [0xff]);
}

#[test]
fn an_elf_kernel_starts_at_its_own_entry() {
    let body = vec![0xcd; 0x2000];
    let (ram, entry) = boot(64, &vmlinux(&body, 0x100_0000), None, "quiet").unwrap();
    assert_eq!(entry.rip, 0x100_0000);
    assert_eq!(bytes(&ram, 0x100_0000, body.len()), body);
    assert_eq!(long(&ram, entry.rsi + 0x202), 0x5372_6448);
}

#[test]
fn the_memory_map_shows_ram_and_keeps_tables_and_configuration_space_out() {
    let layout = Layout::new(3 << 30, 40, &BarRoom::default()).unwrap();
    let map = memory_map(&layout);
    let usable: u64 =
        map.iter().filter(|(_, kind)| *kind == Memory::Usable).map(|(span, _)| span.len().unwrap()).sum();
    assert_eq!(usable, (3 << 30) - 0x6_0000);
    for kept in [AcpiTables::room(), layout.pci().ecam] {
        assert!(map.iter().any(|(span, kind)| *kind == Memory::Reserved && span.covers(&kept)), "{kept}");
    }
    for (i, (one, _)) in map.iter().enumerate() {
        assert!(map[i + 1..].iter().all(|(other, _)| !one.overlaps(other)));
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let room = 48 * MIB;
    assert!(boot(64, &bzimage(&[0; 64], room as u32), None, "").is_ok());
    let error = boot(64, &bzimage(&[0; 64], room as u32 + 1), None, "").unwrap_err();
    assert!(matches!(error, LoadError::KernelTooBig { room, .. } if room == 63 * MIB), "{error}");
    let kernel = bzimage(&[0; 64], (room - MIB) as u32);
    assert!(boot(64, &kernel, Some(&vec![1; MIB as usize]), "").is_ok());
    let error = boot(64, &kernel, Some(&vec![1; MIB as usize + 1]), "").unwrap_err();
    assert!(
        matches!(error, LoadError::InitrdTooBig { size, room } if size == MIB + 1 && room == MIB),
        "{error}"
    );
    let error = boot(32, &vmlinux(&[0; 64], 0x200_0000 - 0x1000), None, "").unwrap_err();
    assert!(matches!(error, LoadError::KernelTooBig { .. }), "{error}");
}

#[test]
fn a_command_line_the_kernel_would_not_read_whole_is_refused() {
    for kernel in [bzimage(&[0; 64], 0x1000), vmlinux(&[0; 64], 0x100_0000)] {
        assert!(boot(64, &kernel, None, &"x".repeat(2047)).is_ok());
        let error = boot(64, &kernel, None, &"x".repeat(2048)).unwrap_err();
        assert!(matches!(error, LoadError::CmdlineTooLong { len: 2048, limit: 2047 }), "{error}");
    }
}

#[test]
fn what_is_no_kernel_is_called_by_its_name() {
    let mut arm = vec![0; 0x400];
    arm[56..60].copy_from_slice(b"ARM\x64");
    let cases: [(Vec<u8>, &str); 4] = [
        (vec![], "empty"),
        (arm, "a kernel for aarch64"),
        (vec![0x1f, 0x8b, 8], "a gzip file"),
        (vec![1; 0x400], "unknown format"),
    ];
    for (kernel, want) in cases {
        let text = boot(64, &kernel, None, "").unwrap_err().to_string();
        assert!(text.contains(want) && text.contains("bzImage or an ELF vmlinux"), "{text}");
    }
}

#[test]
fn kernels_that_cannot_start_here_are_refused() {
    let mut old = bzimage(&[0; 64], 0x1000);
    old[0x236] = 0;
    let mut cut = vmlinux(&[0; 64], 0x100_0000);
    cut.truncate(150);
    for kernel in [old, cut, vmlinux(&[0; 64], 0x8000)] {
        let error = boot(64, &kernel, None, "").unwrap_err();
        assert!(matches!(error, LoadError::KernelRefused(_)), "{error}");
    }
    let mut nonsense = bzimage(&[0; 64], 0x1000);
    nonsense[0x258..0x260].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(matches!(boot(64, &nonsense, None, "").unwrap_err(), LoadError::KernelTooBig { .. }));
}
