use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

/// A kernel of `len` bytes that says it needs `size` and wants to be `text_offset` behind a boundary.
pub fn kernel(len: usize, text_offset: u64, size: u64) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..len).map(|i| (i * 7) as u8).collect();
    bytes[8..16].copy_from_slice(&text_offset.to_le_bytes());
    bytes[16..24].copy_from_slice(&size.to_le_bytes());
    bytes[24..32].copy_from_slice(&0xau64.to_le_bytes());
    bytes[56..60].copy_from_slice(MAGIC);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zboot(payload: &[u8], kind: &[u8]) -> Vec<u8> {
    let mut file = vec![0; 64];
    file[..2].copy_from_slice(b"MZ");
    file[4..8].copy_from_slice(ZBOOT);
    file[8..12].copy_from_slice(&64u32.to_le_bytes());
    file[12..16].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    file[24..24 + kind.len()].copy_from_slice(kind);
    file.extend_from_slice(payload);
    file.extend_from_slice(b"what follows the payload");
    file
}

#[test]
fn plain_gzip_and_zboot_give_the_same_kernel() {
    let plain = kernel(0x3000, 0, 0x9000);
    let want = Image { bytes: plain.clone(), text_offset: 0, footprint: 0x9000 };
    for file in [plain.clone(), gzip(&plain), zboot(&gzip(&plain), b"gzip\0")] {
        assert_eq!(Image::read(file).unwrap(), want);
    }
}

#[test]
fn an_old_kernel_without_a_size_gets_the_old_offset() {
    let image = Image::read(kernel(0x3000, 0x1234, 0)).unwrap();
    assert_eq!((image.text_offset, image.footprint), (0x8_0000, 0x3000));
}

#[test]
fn a_file_that_unpacks_without_end_is_stopped_at_the_limit() {
    let packed = gzip(&kernel(0x3001, 0, 0x9000));
    assert!(matches!(Image::read_within(packed.clone(), 0x3000), Err(LoadError::KernelRefused(_))));
    assert!(Image::read_within(packed, 0x3001).is_ok());
}

#[test]
fn what_is_no_kernel_is_called_by_its_name() {
    let mut bzimage = vec![0; 0x300];
    bzimage[0x202..0x206].copy_from_slice(b"HdrS");
    let cases = [
        (vec![], "empty"),
        (bzimage.clone(), "a bzImage for x86"),
        (gzip(&bzimage), "a bzImage for x86"),
        (b"\x7fELF and so on".to_vec(), "an ELF file"),
        (vec![1; 100], "unknown format"),
        (zboot(b"", b"zstd\0"), "not compressed by gzip"),
    ];
    for (file, want) in cases {
        let error = Image::read(file).unwrap_err();
        assert!(matches!(error, LoadError::NotAKernel { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains(want) && text.contains("Linux Image for aarch64"), "{text}");
    }
}

#[test]
fn damaged_and_foreign_kernels_are_refused() {
    let mut big_endian = kernel(0x100, 0, 0x100);
    big_endian[24] |= 1;
    assert!(matches!(Image::read(big_endian), Err(LoadError::KernelRefused(_))));
    let mut cut = gzip(&kernel(0x3000, 0, 0x9000));
    cut.truncate(cut.len() / 2);
    assert!(matches!(Image::read(cut), Err(LoadError::KernelUnreadable(_))));
    let mut short = zboot(&[], b"gzip\0");
    short[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(Image::read(short), Err(LoadError::KernelRefused(_))));
}
