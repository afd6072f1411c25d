//! Boot images made by hand.

use std::fs;

use super::{MAGIC, PAYLOAD, SECTORS, payload, unpack, unpacked};

/// Four sectors of real-mode code, then 100 bytes, then the payload.
fn image(packed: &[u8]) -> Vec<u8> {
    let mut image = vec![0; 5 * 512 + 100];
    image[SECTORS] = 4;
    image[MAGIC.0..MAGIC.0 + 4].copy_from_slice(MAGIC.1);
    image[PAYLOAD.0..PAYLOAD.0 + 4].copy_from_slice(&100u32.to_le_bytes());
    image[PAYLOAD.1..PAYLOAD.1 + 4].copy_from_slice(&(packed.len() as u32).to_le_bytes());
    image.extend(packed);
    image.extend(b"what follows");
    image
}

#[test]
fn a_payload_is_found_and_its_appended_size_left_out() {
    let zstd = b"\x28\xb5\x2f\xfdpacked\x01\x02\x03\x04";
    assert_eq!(payload(&image(zstd)), Some(("zstd", &zstd[..10])));
    let gzip = b"\x1f\x8bpacked";
    assert_eq!(payload(&image(gzip)), Some(("gzip", &gzip[..])));
}

#[test]
fn what_is_no_boot_image_has_no_payload() {
    let mut other = image(b"\x1f\x8bpacked");
    other[MAGIC.0] = b'h';
    let mut long = image(b"\x1f\x8bpacked");
    long[PAYLOAD.1] = 200;
    for (name, bytes) in
        [("empty", vec![]), ("no magic", other), ("too long", long), ("plain", image(b"\x7fELF"))]
    {
        assert_eq!(payload(&bytes), None, "{name}");
    }
}

#[test]
fn an_image_is_unpacked_once_and_others_are_taken_as_they_are() {
    let folder = std::env::temp_dir().join(format!("lab-kernel-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let (packed, plain) = (folder.join("vmlinuz"), folder.join("Image"));
    // "\x7fELF" as gzip stores it: one block of 4 bytes, its checksum and length.
    let gzip = b"\x1f\x8b\x08\0\0\0\0\0\0\xff\x01\x04\0\xfb\xff\x7fELF\x51\xc4\x3a\xa7\x04\0\0\0";
    fs::write(&packed, image(gzip)).unwrap();
    fs::write(&plain, "MZ").unwrap();
    let kernel = unpacked(&packed, &folder).unwrap();
    assert_eq!(fs::read(&kernel).unwrap(), b"\x7fELF");
    fs::remove_file(&packed).unwrap();
    assert_eq!(unpacked(&packed, &folder).unwrap(), kernel);
    assert_eq!(unpacked(&plain, &folder).unwrap(), plain);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_program_that_fails_is_quoted() {
    let error = format!("{:#}", unpack("gzip", b"not packed").unwrap_err());
    assert!(error.contains("gzip ended with"), "{error}");
}
