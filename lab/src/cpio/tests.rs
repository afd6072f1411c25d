//! The archive is read back with an independent little parser.

use super::Archive;

#[derive(Debug, PartialEq)]
struct Entry {
    name: String,
    mode: u32,
    ino: u32,
    device: (u32, u32),
    data: Vec<u8>,
}

fn parse(mut bytes: &[u8]) -> Vec<Entry> {
    let mut entries = Vec::new();
    while !bytes.is_empty() {
        assert_eq!(&bytes[..6], b"070701");
        let field = |at: usize| {
            let text = std::str::from_utf8(&bytes[6 + at * 8..14 + at * 8]).unwrap();
            u32::from_str_radix(text, 16).unwrap()
        };
        let (size, name_size) = (field(6) as usize, field(11) as usize);
        let name = &bytes[110..110 + name_size];
        assert_eq!(name.last(), Some(&0));
        let start = (110 + name_size).next_multiple_of(4);
        entries.push(Entry {
            name: String::from_utf8(name[..name_size - 1].to_vec()).unwrap(),
            mode: field(1),
            ino: field(0),
            device: (field(9), field(10)),
            data: bytes[start..start + size].to_vec(),
        });
        bytes = &bytes[(start + size).next_multiple_of(4)..];
    }
    entries
}

#[test]
fn every_kind_of_entry_reads_back() {
    let mut archive = Archive::new(Vec::new());
    archive.directory("dev").unwrap();
    archive.char_device("dev/console", 5, 1).unwrap();
    archive.file("init", b"#!/bin/sh\n", true).unwrap();
    archive.file("data", b"12345", false).unwrap();
    archive.symlink("sh", "/bin/busybox").unwrap();
    let bytes = archive.finish().unwrap();
    assert_eq!(bytes.len() % 4, 0);

    let entries = parse(&bytes);
    let seen: Vec<_> = entries.iter().map(|e| (e.name.as_str(), e.mode, e.data.len())).collect();
    assert_eq!(
        seen,
        [
            ("dev", 0o040_755, 0),
            ("dev/console", 0o020_600, 0),
            ("init", 0o100_755, 10),
            ("data", 0o100_644, 5),
            ("sh", 0o120_777, 12),
            ("TRAILER!!!", 0o100_644, 0),
        ]
    );
    assert_eq!(entries[1].device, (5, 1));
    assert_eq!(entries[3].data, b"12345");
}

#[test]
fn names_and_contents_of_every_length_keep_the_alignment() {
    for name_length in 1..9 {
        for data_length in 0..9 {
            let mut archive = Archive::new(Vec::new());
            let name = "n".repeat(name_length);
            archive.file(&name, &vec![7; data_length], false).unwrap();
            let entries = parse(&archive.finish().unwrap());
            assert_eq!(entries[0].name, name);
            assert_eq!(entries[0].data, vec![7; data_length]);
        }
    }
}

#[test]
fn no_two_entries_share_an_inode() {
    let mut archive = Archive::new(Vec::new());
    for name in ["a", "b", "c"] {
        archive.file(name, b"", false).unwrap();
    }
    let mut inodes: Vec<_> = parse(&archive.finish().unwrap()).iter().map(|e| e.ino).collect();
    inodes.dedup();
    assert_eq!(inodes.len(), 4);
}
