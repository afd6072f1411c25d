//! The checks of the package `rig`: they run in the lab host, against its kernel, without a guest.

use std::process::Command;

use super::{Step, Tests};

/// Builds the rig for a lab host and puts `ops` requests to its kernel.
pub fn steps(arch: &str, ops: u64, seed: u64) -> [Step; 2] {
    let target = format!("{arch}-unknown-linux-musl");
    let folder = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".into());
    let program = format!("{folder}/{target}/release/rig");
    let check = format!("rig kernel-diff --device $NVME --ops {ops} --seed {seed}");
    let cargo = |name: String, tests, words: &[&str]| {
        let mut command = Command::new("cargo");
        command.args(words);
        Step { name, command, tests }
    };
    [
        cargo(
            format!("rig {arch}"),
            Tests::None,
            &["build", "--release", "--quiet", "--package", "rig", "--target", &target],
        ),
        cargo(
            format!("kernel {arch}"),
            Tests::Expected,
            &["lab", "exec", "--arch", arch, "--without-vmm", "--file", &program, "--", &check],
        ),
    ]
}
