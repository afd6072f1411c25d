use std::path::Path;

use super::{Kvm, OpenError, refusal};

#[test]
fn refusals_say_what_to_do() {
    let path = Path::new("/dev/kvm");
    for (errno, words) in [
        (libc::ENOENT, "modprobe"),
        (libc::ENODEV, "modprobe"),
        (libc::EACCES, "usermod -aG kvm"),
        (libc::EPERM, "usermod -aG kvm"),
        (libc::EMFILE, "cannot open /dev/kvm"),
    ] {
        let text = refusal(path, errno).to_string();
        assert!(text.contains(words) && text.contains("/dev/kvm"), "{errno}: {text}");
    }
}

#[test]
fn a_file_that_is_absent_or_not_kvm_is_told_apart() {
    assert!(matches!(Kvm::open(Some(Path::new("/nowhere/kvm"))), Err(OpenError::Absent { .. })));
    assert!(matches!(Kvm::open(Some(Path::new("/dev/null"))), Err(OpenError::Version { found: -1, .. })));
    let odd = <Path as AsRef<Path>>::as_ref(Path::new("a\0b"));
    assert!(matches!(Kvm::open(Some(odd)), Err(OpenError::Open { .. })));
}
