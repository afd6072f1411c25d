use std::fs::File;
use std::io::Write;

use base::GuestRam;
use vm_memory::{Bytes, GuestAddress};

use super::super::Gic;
use super::super::fdt::tests::read;
use super::super::image::tests::kernel;
use super::*;
use crate::BarRoom;

const MIB: u64 = 1 << 20;
const RAM: u64 = 0x8000_0000;

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn machine(mib: u64) -> (Layout, GuestRam) {
    let layout = Layout::new(mib * MIB, 1, 40, Gic::V3_ITS, &BarRoom::default()).unwrap();
    let ram = GuestRam::new(&layout.ram()).unwrap();
    (layout, ram)
}

fn boot(
    mib: u64,
    kernel: &[u8],
    initrd: Option<&[u8]>,
    cmdline: &str,
) -> Result<(GuestRam, EntryPoint), LoadError> {
    let (layout, ram) = machine(mib);
    let (mut kernel, mut initrd) = (file(kernel), initrd.map(file));
    let files = BootFiles { kernel: &mut kernel, initrd: initrd.as_mut(), cmdline };
    let entry = load(&ram.mem, &layout, Boot { files, mpidrs: &[0], viommu: None, seeds: None })?;
    Ok((ram, entry))
}

fn bytes(ram: &GuestRam, at: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    ram.mem.read_slice(&mut bytes, GuestAddress(at)).unwrap();
    bytes
}

#[test]
fn kernel_disk_and_tree_are_where_the_entry_and_the_tree_say() {
    let image = kernel(0x5000, 0x1000, 0x8000);
    let disk: Vec<u8> = (0..3 * MIB + 5).map(|i| (i % 251) as u8).collect();
    let (ram, entry) = boot(64, &image, Some(&disk), "quiet").unwrap();
    assert_eq!(entry, EntryPoint { pc: RAM + 2 * MIB + 0x1000, dtb: RAM });
    assert_eq!(bytes(&ram, entry.pc, image.len()), image);
    let head = bytes(&ram, entry.dtb, 8);
    let len = u32::from_be_bytes(head[4..].try_into().unwrap());
    let tree = read(&bytes(&ram, entry.dtb, len as usize));
    let chosen = tree.at("chosen");
    assert_eq!(chosen.texts("bootargs"), ["quiet"]);
    let (start, end) = (chosen.longs("linux,initrd-start")[0], chosen.longs("linux,initrd-end")[0]);
    assert_eq!((end - start, start % 4096), (disk.len() as u64, 0));
    assert_eq!(start, (RAM + 64 * MIB - disk.len() as u64) & !4095);
    assert_eq!(bytes(&ram, start, disk.len()), disk);
}

#[test]
fn an_empty_disk_is_none() {
    let (ram, entry) = boot(64, &kernel(0x1000, 0, 0x1000), Some(&[]), "").unwrap();
    let head = bytes(&ram, entry.dtb, 8);
    let len = u32::from_be_bytes(head[4..].try_into().unwrap());
    assert!(!read(&bytes(&ram, entry.dtb, len as usize)).at("chosen").has("linux,initrd-start"));
}

#[test]
fn what_does_not_fit_is_refused() {
    let room = 62 * MIB;
    assert!(boot(64, &kernel(0x1000, 0, room), None, "").is_ok());
    let error = boot(64, &kernel(0x1000, 0, room + 1), None, "").unwrap_err();
    assert!(
        matches!(error, LoadError::KernelTooBig { need, room: r } if need == room + 1 && r == room),
        "{error}"
    );
    let error = boot(64, &kernel(0x1000, u64::MAX, u64::MAX), None, "").unwrap_err();
    assert!(matches!(error, LoadError::KernelTooBig { .. }), "{error}");
    let small = kernel(0x1000, 0, 61 * MIB);
    let error = boot(64, &small, Some(&vec![1; MIB as usize + 1]), "").unwrap_err();
    assert!(
        matches!(error, LoadError::InitrdTooBig { size, room } if size == MIB + 1 && room == MIB),
        "{error}"
    );
    let error = boot(64, &kernel(0x1000, 0, room), Some(&[1]), "").unwrap_err();
    assert!(matches!(error, LoadError::InitrdTooBig { size: 1, room: 0 }), "{error}");
}

#[test]
fn a_command_line_the_kernel_would_not_read_whole_is_refused() {
    let small = kernel(0x1000, 0, 0x1000);
    assert!(boot(64, &small, None, &"x".repeat(2047)).is_ok());
    let error = boot(64, &small, None, &"x".repeat(2048)).unwrap_err();
    assert!(matches!(error, LoadError::CmdlineTooLong { len: 2048, limit: 2047 }), "{error}");
    assert!(matches!(boot(64, &small, None, "a\0b").unwrap_err(), LoadError::CmdlineZero));
}

#[test]
fn an_unreadable_kernel_is_told_with_its_reason() {
    let (layout, ram) = machine(64);
    let mut kernel = File::open("/").unwrap();
    let files = BootFiles { kernel: &mut kernel, initrd: None, cmdline: "" };
    let error = load(&ram.mem, &layout, Boot { files, mpidrs: &[0], viommu: None, seeds: None }).unwrap_err();
    assert!(matches!(error, LoadError::KernelUnreadable(_)), "{error}");
}

#[test]
fn processors_are_numbered_as_kvm_does() {
    let cases = [(0, 0), (15, 15), (16, 0x100), (511, 0x1f0f), (4096, 0x1_0000)];
    for (cpu, want) in cases {
        assert_eq!(default_mpidr(cpu), want);
    }
}
