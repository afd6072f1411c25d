//! Chains of extended capabilities, whole and damaged.

use super::*;

fn image(headers: &[(usize, u32)]) -> Vec<u8> {
    let mut image = vec![0; 4096];
    for (at, header) in headers {
        image[*at..*at + 4].copy_from_slice(&header.to_le_bytes());
    }
    image
}

fn guest(headers_of_device: &[(usize, u32)]) -> Vec<(usize, u32)> {
    headers(&shown(&image(headers_of_device)))
}

#[test]
fn hidden_capabilities_are_left_out_of_the_chain() {
    let chain = [(0x100, 0x1401_0003), (0x140, 0x2001_0010), (0x200, 0x3001_000b), (0x300, 0x0001_000f)];
    assert_eq!(guest(&chain), [(0x100, 0x2001_0003), (0x200, 0x0001_000b)]);
}

#[test]
fn a_chain_with_a_hidden_first_starts_with_a_null_capability() {
    assert_eq!(
        guest(&[(0x100, 0x1402_0001), (0x140, 0x0001_0003)]),
        [(0x100, 0x1401_0000), (0x140, 0x0001_0003)]
    );
}

#[test]
fn a_chain_of_nothing_useful_is_empty() {
    assert_eq!(guest(&[(0x100, 0x1402_0001), (0x140, 0x0001_0010)]), []);
    assert_eq!(guest(&[]), []);
    assert_eq!(guest(&[(0x100, u32::MAX)]), []);
}

#[test]
fn a_chain_that_loops_or_leaves_the_space_ends() {
    assert_eq!(guest(&[(0x100, 0x1001_0003)]), [(0x100, 0x0001_0003)]);
    assert_eq!(guest(&[(0x100, 0x0401_0003)]), [(0x100, 0x0001_0003)]);
    assert_eq!(guest(&[(0x100, 0xffc1_0010), (0xffc, 0x0001_0003)]), []);
    assert_eq!(guest(&[(0x100, 0xffc1_0010), (0xffc, 0x0001_000b)]), []);
}

#[test]
fn a_vendor_capability_is_as_long_as_it_says() {
    let mut image = image(&[(0xf00, 0x0001_000b), (0x100, 0xf001_0010)]);
    image[0xf04..0xf08].copy_from_slice(&0x0401_0001u32.to_le_bytes());
    assert_eq!(shown(&image)[0].len, 0x40);
    image[0xf04..0xf08].copy_from_slice(&0xfff1_0001u32.to_le_bytes());
    assert_eq!(shown(&image), []);
}
