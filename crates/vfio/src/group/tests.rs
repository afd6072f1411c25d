//! How a failed open is told.

use std::io;

use super::open_error;
use crate::VfioError;

#[test]
fn each_errno_of_an_open_names_the_group_and_the_remedy() {
    let cases = [
        (libc::ENOENT, "bind every device of the group to vfio-pci"),
        (libc::EBUSY, "in use by another program"),
        (libc::EPERM, "not allowed to open"),
        (libc::EACCES, "not allowed to open"),
        (libc::EIO, "cannot open IOMMU group 17"),
    ];
    for (errno, expected) in cases {
        let text = open_error(17, io::Error::from_raw_os_error(errno)).to_string();
        assert!(text.contains(expected) && text.contains("17"), "{errno}: {text}");
    }
    assert!(matches!(
        open_error(1, io::Error::from_raw_os_error(libc::ENOENT)),
        VfioError::GroupAbsent { group: 1 }
    ));
}
