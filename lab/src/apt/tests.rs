//! Which kernel is taken.

use std::path::Path;

use super::backports::mirror;
use super::needs::version_of;
use super::newest;
use crate::arch::Arch;

#[test]
fn the_highest_point_release_of_the_plain_flavour_is_taken() {
    let names = [
        "linux-image-6.12.9+deb12-amd64",
        "linux-image-6.12.117+deb12-amd64",
        "linux-image-6.12.99+deb12-amd64",
        "linux-image-6.12.118+deb12-cloud-amd64",
        "linux-image-6.12.119+deb12-rt-amd64",
        "linux-image-6.12.120+deb12-amd64-unsigned",
        "linux-image-6.12.121+deb12-arm64",
        "linux-image-6.12.+deb12-amd64",
        "linux-image-6.1.0-50-amd64",
        "linux-image-6.12.122+deb12-amd64.partial",
    ]
    .map(str::to_owned);
    assert_eq!(newest(Arch::X86_64, &names).as_deref(), Some("linux-image-6.12.117+deb12-amd64"));
    assert_eq!(newest(Arch::Aarch64, &names).as_deref(), Some("linux-image-6.12.121+deb12-arm64"));
    assert_eq!(newest(Arch::X86_64, &[]), None);
}

#[test]
fn the_version_of_a_package_stands_in_its_file_name() {
    for (name, version) in [
        ("qemu-system-x86_1%3a7.2+dfsg-7+deb12u18+b2_amd64.deb", Some("7.2+dfsg-7+deb12u18+b2")),
        ("qemu-system-x86_10.0.2_amd64.deb", Some("10.0.2")),
        ("qemu-system-x86-xen_9_amd64.deb", None),
        ("libc6_2.36-9_amd64.deb", None),
    ] {
        assert_eq!(version_of(Path::new(name), "qemu-system-x86").as_deref(), version, "{name}");
    }
}

#[test]
fn backports_come_from_the_mirror_of_the_release_itself() {
    let release = "http://mirror.example/debian/ bookworm Debian main";
    for (lines, suite) in [
        (vec![release], Some("bookworm-backports")),
        (
            vec!["http://mirror.example/security/ bookworm-security Debian-Security main", release],
            Some("bookworm-backports"),
        ),
        (
            vec!["http://mirror.example/debian/ bookworm-updates Debian main", release],
            Some("bookworm-backports"),
        ),
        (vec!["http://other.example/ stable Somebody main", release], Some("bookworm-backports")),
        (vec!["http://mirror.example/debian/ bookworm Debian contrib"], None),
        (vec!["http://mirror.example/ubuntu/ noble Ubuntu main"], None),
        (vec!["nonsense"], None),
        (vec![], None),
    ] {
        let wanted = suite.map(|suite| ("http://mirror.example/debian/".to_owned(), suite.to_owned()));
        assert_eq!(mirror(&lines.join("\n")), wanted, "{lines:?}");
    }
}
