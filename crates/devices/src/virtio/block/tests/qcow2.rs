use std::fs::File;
use std::os::unix::fs::FileExt;

use imago::FormatCreateBuilder;
use imago::file::File as Storage;
use imago::qcow2::Qcow2;
use rustix::fs::{MemfdFlags, memfd_create};

use super::*;

const LEN: u64 = 1 << 20;

/// An empty image of a mebibyte; with the file that it is in, and a backing file's name in it if one is given.
fn file(backing: Option<&str>) -> File {
    let file = File::from(memfd_create("image", MemfdFlags::CLOEXEC).unwrap());
    let storage = Storage::try_from(file.try_clone().unwrap()).unwrap();
    let mut builder = Qcow2::<Storage>::create_builder(storage).size(LEN);
    if let Some(name) = backing {
        builder = builder.backing(name.into(), "raw".into());
    }
    builder.create().unwrap();
    file
}

#[test]
fn what_is_written_is_in_the_image_when_it_is_opened_again() {
    let file = file(None);
    let image = Qcow2Image::new(file.try_clone().unwrap(), false).unwrap();
    assert_eq!(image.len(), LEN);
    let data: Vec<u8> = (0..100_000).map(|n| (n % 251) as u8).collect();
    image.write(70_000, &data).unwrap();
    image.flush().unwrap();
    let again = Qcow2Image::new(file.try_clone().unwrap(), true).unwrap();
    let mut back = vec![1; data.len() + 2];
    again.read(69_999, &mut back).unwrap();
    assert_eq!((back[0], &back[1..=data.len()], back[data.len() + 1]), (0, data.as_slice(), 0));
    assert!(again.write(0, &[1; 512]).is_err(), "read only");
}

#[test]
fn holes_and_zeros_read_as_zero() {
    let image = Qcow2Image::new(file(None), false).unwrap();
    for unmap in [false, true] {
        image.write(0, &[7; 200_000]).unwrap();
        image.write_zeroes(65_536, 65_536 + 512, unmap).unwrap();
        image.discard(0, 4096).unwrap();
        let mut back = vec![1; 200_000];
        image.read(0, &mut back).unwrap();
        assert!(back[65_536..131_584].iter().all(|byte| *byte == 0), "{unmap}");
        assert_eq!((back[65_535], back[131_584]), (7, 7), "{unmap}");
    }
}

#[test]
fn an_image_that_names_another_file_is_refused() {
    let error = Qcow2Image::new(file(Some("/etc/passwd")), true).err().unwrap();
    assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{error}");
}

#[test]
fn what_is_no_image_is_refused() {
    for bytes in [&b""[..], b"QFI\xfb", &[0xff; 1024]] {
        let file = File::from(memfd_create("image", MemfdFlags::CLOEXEC).unwrap());
        file.write_all_at(bytes, 0).unwrap();
        assert!(Qcow2Image::new(file, false).is_err(), "{bytes:x?}");
    }
}

/// Headers and tables are the guest's to write if it once had the file as a raw disk: none may end the process.
#[test]
fn a_mangled_image_is_an_error_not_an_end() {
    let good = file(None);
    Qcow2Image::new(good.try_clone().unwrap(), false).unwrap().write(0, &[7; 70_000]).unwrap();
    let mut bytes = vec![0; good.metadata().unwrap().len() as usize];
    good.read_exact_at(&mut bytes, 0).unwrap();
    for at in (0..104).chain(65_536..65_552).chain(131_072..131_088).chain(196_608..196_624) {
        for value in [0x00, 0x7f, 0xff] {
            let file = File::from(memfd_create("image", MemfdFlags::CLOEXEC).unwrap());
            file.write_all_at(&bytes, 0).unwrap();
            file.write_all_at(&[value], at).unwrap();
            let Ok(image) = Qcow2Image::new(file, false) else { continue };
            let len = image.len().min(LEN);
            let mut back = vec![0; 512.min(len as usize)];
            _ = (image.read(0, &mut back), image.write(0, &back), image.flush());
        }
    }
}
