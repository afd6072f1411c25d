use std::fs::File;
use std::os::unix::fs::FileExt;

use rustix::fs::{MemfdFlags, memfd_create};

use super::*;

fn image(len: u64) -> (RawImage, File) {
    let file = File::from(memfd_create("disk", MemfdFlags::CLOEXEC).unwrap());
    file.set_len(len).unwrap();
    let copy = file.try_clone().unwrap();
    (RawImage::new(file).unwrap(), copy)
}

#[test]
fn the_file_is_the_disk() {
    let (image, file) = image(1 << 20);
    assert_eq!(image.len(), 1 << 20);
    image.write(4096, &[7; 1000]).unwrap();
    let mut back = [0; 1002];
    image.read(4095, &mut back).unwrap();
    assert_eq!(back[..3], [0, 7, 7]);
    file.read_exact_at(&mut back, 4095).unwrap();
    assert_eq!((back[1000], back[1001]), (7, 0));
    image.flush().unwrap();
    assert!(image.read((1 << 20) - 1, &mut [0; 2]).is_err(), "a file that has become shorter is an error");
}

#[test]
fn holes_read_as_zero_and_the_length_stays() {
    let (image, file) = image(1 << 20);
    type Change = fn(&RawImage) -> io::Result<()>;
    let cases: [(&str, Change); 2] = [
        ("discard", |image| image.discard(8192, 4096)),
        ("hole", |image| image.write_zeroes(8192, 4096, true)),
    ];
    for (name, change) in cases {
        image.write(4096, &[9; 12288]).unwrap();
        change(&image).unwrap();
        let mut back = [1; 12288];
        image.read(4096, &mut back).unwrap();
        assert!(back[4096..8192].iter().all(|byte| *byte == 0), "{name}");
        assert_eq!((back[4095], back[8192]), (9, 9), "{name}");
        assert_eq!(file.metadata().unwrap().len(), 1 << 20, "{name}");
    }
}

#[test]
fn zeros_that_the_file_system_cannot_make_are_left_to_the_caller() {
    // A file in memory has holes, but no ranges of zeros.
    let (image, _file) = image(1 << 20);
    image.write(0, &[9; 4096]).unwrap();
    let error = image.write_zeroes(0, 4096, false).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Unsupported);
}
