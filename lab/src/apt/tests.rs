//! Which kernel is taken.

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
