//! Sizes and offsets, written out by hand: what the driver of Linux sends and expects, byte for byte.

use super::super::rig::*;
use crate::virtio::VirtioDevice;

fn request(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

#[test]
fn requests_and_answers_have_the_layout_of_the_specification() {
    let mut rig = rig();
    assert_eq!(rig.device.device_id(), 23);
    let (one, eight) = (&[1, 0, 0, 0][..], &[8, 0, 0, 0][..]);
    let attach = request(&[one, one, eight, &[0; 4], &[0; 4]]);
    let detach = request(&[&[2, 0, 0, 0], one, eight, &[0; 8]]);
    let map = request(&[
        &[3, 0, 0, 0],
        one,
        &[0, 0x10, 0, 0, 0, 0, 0, 0],
        &[0xff, 0x2f, 0, 0, 0, 0, 0, 0],
        &[0, 0x30, 0, 0, 0, 0, 0, 0],
        &[3, 0, 0, 0],
    ]);
    let unmap = request(&[&[4, 0, 0, 0], one, &map[8..16], &map[16..24], &[0; 4]]);
    let probe = request(&[&[5, 0, 0, 0], eight, &[0; 64]]);
    assert_eq!([attach.len(), detach.len(), map.len(), unmap.len(), probe.len()], [20, 20, 36, 28, 72]);
    assert_eq!(rig.raw(&attach, 4).bytes, [0; 4]);
    assert_eq!(rig.raw(&map, 4).bytes, [0; 4]);
    assert_eq!(rig.held(0), [(0x1000, 0x2fff, 0x3000, "rw".into())]);
    assert_eq!(rig.raw(&unmap, 4).bytes, [0; 4]);
    assert!(rig.held(0).is_empty());
    assert_eq!(rig.raw(&detach, 4).bytes, [0; 4]);
    assert_eq!(rig.domain_of(8), None);
    let answer = rig.raw(&probe, 516).bytes;
    let msi = [1, 0, 20, 0, 1, 0, 0, 0, 0, 0, 0xe0, 0xfe, 0, 0, 0, 0, 0xff, 0xff, 0xef, 0xfe, 0, 0, 0, 0];
    assert_eq!(answer[..24], msi);
    assert_eq!(answer[512..], [0; 4]);
}

#[test]
fn the_configuration_has_the_layout_of_the_specification() {
    let config: [u8; 44] = rig().config(0);
    assert_eq!(config[0x00..0x08], [0, 0x10, 0, 0, 0, 0, 0, 0], "page_size_mask");
    assert_eq!(config[0x08..0x10], [0; 8], "input_range.start");
    assert_eq!(config[0x10..0x18], [0xff, 0xff, 0xff, 0xff, 0x7f, 0, 0, 0], "input_range.end");
    assert_eq!(config[0x18..0x1c], [0; 4], "domain_range.start: 0, which drivers count on");
    assert_eq!(config[0x1c..0x20], [0xff; 4], "domain_range.end");
    assert_eq!(config[0x20..0x24], [0, 2, 0, 0], "probe_size");
    assert_eq!(config[0x24..], [0; 8], "bypass, reserved, and nothing beyond");
}
