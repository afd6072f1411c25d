//! Folders as sysfs shows them.

use std::fs;

use super::{NOBODY, node_of, take};

#[test]
fn a_function_that_is_taken_gets_no_driver_later_either() {
    let devices = std::env::temp_dir().join(format!("rig-binding-{}", std::process::id()));
    for bound in [false, true] {
        let folder = devices.join(format!("0000:00:0{}.0", u8::from(bound)));
        fs::create_dir_all(if bound { folder.join("driver") } else { folder.clone() }).unwrap();
        take(&folder).unwrap();
        assert_eq!(fs::read_to_string(folder.join("driver_override")).unwrap(), NOBODY, "bound: {bound}");
        let unbound = fs::read_to_string(folder.join("driver/unbind")).ok();
        assert_eq!(unbound.as_deref(), bound.then_some("0000:00:01.0"), "bound: {bound}");
    }
    fs::remove_dir_all(devices).unwrap();
}

#[test]
fn a_path_to_a_disk_is_known_by_the_disks_node() {
    for (namespace, node) in [
        ("nvme0n1", "nvme0n1"),
        ("nvme0c0n1", "nvme0n1"),
        ("nvme12c3n45", "nvme12n45"),
        ("nvme", "nvme"),
        ("", ""),
    ] {
        assert_eq!(node_of(namespace), node, "{namespace}");
    }
}
