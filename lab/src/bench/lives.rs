//! The lives of monitors that a run consists of, as shell text over the functions of `scripts/bench-host.sh`.

use super::table::{AGAIN, MIXVM, QEMU, START, UNPOLLED, WITHOUT};
use crate::arch::Arch;
use crate::exec::quoted;
use crate::job::Step;

/// Memory of each guest in MiB.
const MEMORY_MIB: u32 = 512;
/// Seconds that one life may take; the slowest ones fill 40,000 mappings in each run.
const LIMIT: u32 = 1800;

/// How much is measured.
#[derive(Clone, Debug)]
pub struct Extent {
    /// Runs of each measurement.
    pub runs: u32,
    /// Milliseconds of one run of a rate.
    pub window: u32,
    /// Numbers of live mappings, as the program takes them.
    pub live: String,
    /// Lives that only start, besides those that measure.
    pub starts: u32,
    /// Whether QEMU is compared at all.
    pub with_qemu: bool,
}

/// Everything. Where maps are measured the floor takes turns with the guest.
pub fn steps(arch: Arch, extent: &Extent) -> Vec<Step> {
    let mut steps = Vec::new();
    let all = "disk,idle,exits,maps";
    let life = |name: &str, words: String| step(name, &words, extent);
    // The machine is faster in one minute than in the next: guests that are compared in what they read take turns.
    let in_turns = |name: &str, of: &dyn Fn(bool, &str) -> String| {
        let beside = format!("{name}{WITHOUT}");
        [
            life(&beside, of(false, "disk")),
            life(&format!("{name}{AGAIN}"), of(true, "disk")),
            life(&format!("{beside}{AGAIN}"), of(false, "disk")),
            life(name, of(true, all)),
        ]
    };
    let theirs = |viommu, what: &str| qemu(arch, viommu, &params(arch.console(), what, extent));
    if extent.with_qemu {
        steps.extend(in_turns(QEMU, &theirs));
    }
    let ours = |options: &str, what: &str| mixvm(options, &params("ttyS0", what, extent));
    let viommu = |there| if there { "--virtio-iommu" } else { "" };
    steps.extend(in_turns(MIXVM, &|there, what| ours(viommu(there), what)));
    steps.push(life(UNPOLLED, ours("--virtio-iommu=poll=off", all)));
    for number in 1..=extent.starts {
        if extent.with_qemu {
            steps.push(life(&format!("{QEMU}{START}{number}"), theirs(true, "")));
        }
        steps.push(life(&format!("{MIXVM}{START}{number}"), ours("--virtio-iommu", "")));
    }
    steps
}

fn step(name: &str, words: &str, extent: &Extent) -> Step {
    let Extent { runs, window, live, .. } = extent;
    let shell = format!(
        ". /bin/bench-host.sh; measured='--runs {runs} --window {window} --live {live}'; life {name} {words}"
    );
    Step::Command { name: name.to_owned(), limit: LIMIT, shell }
}

/// The guest's kernel command line.
fn params(console: &str, what: &str, extent: &Extent) -> String {
    let Extent { runs, window, live, .. } = extent;
    quoted(&format!(
        "console={console} panic=-1 quiet iommu.strict=1 rdinit=/bench-init lab.do={what} lab.runs={runs} \
         lab.window={window} lab.live={live}"
    ))
}

fn mixvm(options: &str, params: &str) -> String {
    format!(
        "mixvm mixvm run --cpus 1 --mem {MEMORY_MIB} --initrd /guest/guest.img -p {params} {options} --vfio $NVME \
         --serial type=stdout /guest/guest-kernel"
    )
}

/// Guest RAM is a memory file as mixvm's is, so that resident memory can be compared; its threads have names, so that the
/// host's script can place them.
fn qemu(arch: Arch, viommu: bool, params: &str) -> String {
    let (program, machine) = (arch.qemu(), arch.peer_machine());
    let viommu = if viommu { "-device virtio-iommu-pci" } else { "" };
    format!(
        "{program} peer {program} -name debug-threads=on -accel kvm -machine {machine},memory-backend=ram -cpu host \
         -smp 1 -m {MEMORY_MIB} \
         -object memory-backend-memfd,id=ram,size={MEMORY_MIB}M,share=on -nodefaults -no-user-config -no-reboot \
         -display none -serial stdio -kernel /mnt/guest-kernel-packed -initrd /mnt/guest.img -append {params} {viommu} \
         -device vfio-pci,host=$NVME"
    )
}
