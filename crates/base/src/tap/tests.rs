use super::*;

#[test]
fn names_that_the_kernel_would_misread_are_refused() {
    for (name, fine) in [
        ("tap0", true),
        ("mixvm-tap.12345", true),
        ("mixvm-tap.123456", false),
        ("", false),
        ("tap%d", false),
        ("a/b", false),
        ("a b", false),
        ("..", false),
        ("täp", false),
    ] {
        assert_eq!(is_interface_name(name), fine, "{name:?}");
    }
    let error = open_tap("tap%d", 12, 1).unwrap_err().to_string();
    assert!(error.contains("\"tap%d\"") && error.contains("1 to 15 bytes"), "{error}");
}

#[test]
fn refusals_say_what_to_do() {
    for (errno, words) in [
        (libc::ENOENT, "modprobe tun"),
        (libc::EPERM, "ip tuntap add dev tap7 mode tap"),
        (libc::EBUSY, "Another program"),
        (libc::EINVAL, "`multi_queue`"),
        (libc::EIO, "TUNSETIFF"),
    ] {
        let source = io::Error::from_raw_os_error(errno);
        let error = TapError { name: "tap7".into(), call: "TUNSETIFF", source }.to_string();
        assert!(error.starts_with("tap device \"tap7\": TUNSETIFF: ") && error.contains(words), "{error}");
    }
}

#[test]
fn request_has_the_kernels_size() {
    assert_eq!(size_of::<Request>(), size_of::<libc::ifreq>());
}
