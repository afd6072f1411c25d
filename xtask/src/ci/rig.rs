//! The checks of the package `rig`: they run in the lab host, against its kernel and a device, without a guest.

use std::process::Command;

use super::{Step, Tests};

/// Puts `ops` requests to the kernel of a lab host, and aims its disk at `probes` addresses, in one boot.
pub fn step(arch: &str, ops: u64, probes: u64, seed: u64) -> Step {
    let checks = format!(
        "rig kernel-diff --device $NVME --ops {ops} --seed {seed} && \
         rig oracle --device $NVME --probes {probes} --seed {seed}"
    );
    let mut command = Command::new("cargo");
    command.args(["lab", "exec", "--arch", arch, "--without-vmm", "--rig"]);
    // Both print their progress, and a stalled one is ended for its silence: the limit is for those that never end.
    command.args(["--limit", "36000", "--", &checks]);
    Step { name: format!("rig {arch}"), command, tests: Tests::Expected }
}
