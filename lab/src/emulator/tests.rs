//! Which emulator is new enough.

use super::{SOUND, numbers, version_in};

#[test]
fn the_version_is_read_from_what_the_emulator_says() {
    for (answer, version) in [
        (
            "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)\nCopyright (c) 2003-2022",
            Some("7.2.22"),
        ),
        ("QEMU emulator version 10.0.2\n", Some("10.0.2")),
        ("QEMU emulator", None),
        ("version", None),
        ("", None),
    ] {
        assert_eq!(version_in(answer), version, "{answer:?}");
    }
}

#[test]
fn versions_before_8_1_are_too_old_and_numbers_are_not_compared_as_text() {
    for (version, sound) in [
        ("7.2.22", Some(false)),
        ("8.0.5", Some(false)),
        ("8.1.0", Some(true)),
        ("10.0.2", Some(true)),
        ("9.0", Some(true)),
        ("9", None),
        ("new", None),
    ] {
        assert_eq!(numbers(version).map(|version| version >= SOUND), sound, "{version}");
    }
}
