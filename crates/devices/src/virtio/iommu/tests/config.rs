use std::time::Duration;

use iommu_domain::Detail;

use super::rig::*;
use crate::virtio::VirtioDevice;
use crate::virtio::testkit::SECOND;

#[test]
fn the_space_reads_at_any_offset_and_width() {
    let rig = rig();
    let mut whole = [0xff; 48];
    rig.device.config_read(0, &mut whole);
    assert_eq!(whole[0..8], PAGE.to_le_bytes(), "C1");
    assert_eq!(whole[16..24], ((1u64 << 39) - 1).to_le_bytes());
    assert_eq!(whole[28..32], [0xff; 4], "every domain id");
    assert_eq!(whole[32..36], PROBE_ROOM.to_le_bytes());
    assert_eq!(whole[36..], [0; 12]);
    for offset in 0..60u64 {
        for len in 1..9usize {
            let mut part = vec![0xee; len];
            rig.device.config_read(offset, &mut part);
            let expected: Vec<_> =
                (0..len).map(|n| whole.get(offset as usize + n).copied().unwrap_or(0)).collect();
            assert_eq!(part, expected, "{len} bytes at {offset}");
        }
    }
    rig.device.config_read(u64::MAX, &mut whole);
    assert_eq!(whole, [0; 48]);
}

#[test]
fn the_iommu_goes_on_without_bus_mastering() {
    assert!(rig().device.is_steadfast());
}

#[test]
fn only_bypass_is_writable_and_only_to_0_or_1() {
    let mut rig = rig();
    for (offset, data, features, allowed) in [
        (0x24, &[1][..], ALL_FEATURES, true),
        (0x24, &[0], ALL_FEATURES, true),
        (0x24, &[2], ALL_FEATURES, false),
        (0x24, &[1], 0, false),
        (0x24, &[1, 0, 0, 0], ALL_FEATURES, false),
        (0x20, &[0; 8], ALL_FEATURES, false),
        (0, &[0xff; 8], ALL_FEATURES, true),
        (u64::MAX, &[1], ALL_FEATURES, true),
    ] {
        assert_eq!(rig.device.config_write(offset, data, features), allowed, "{data:?} at {offset:#x}");
    }
    let mut mask = [0; 8];
    rig.device.config_read(0, &mut mask);
    assert_eq!(mask, PAGE.to_le_bytes(), "other fields keep their value");
}

/// As it is while a request pins all of a large guest's memory.
#[test]
fn while_the_state_is_busy_the_space_can_be_read_and_a_report_says_so() {
    let rig = rig();
    let (handle, core) = (rig.device.handle(), rig.device.core.clone());
    let (hold, held) = std::sync::mpsc::channel();
    let (end, ended) = std::sync::mpsc::channel();
    let holder = std::thread::spawn(move || {
        let busy = core.lock();
        hold.send(()).unwrap();
        let in_time = ended.recv_timeout(SECOND).is_ok();
        drop(busy);
        in_time
    });
    held.recv().unwrap();
    let mask = rig.config::<8>(0);
    let report = handle.report_in(Detail::default(), Duration::from_millis(1));
    let _ = end.send(());
    assert!(holder.join().unwrap(), "neither waited");
    assert!(mask == PAGE.to_le_bytes() && report.is_none());
    assert!(handle.report_in(Detail::default(), SECOND).is_some());
}
