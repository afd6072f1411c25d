//! A lab host with a GICv2: its MSIs are not isolated, so the kernel refuses the devices until it is told otherwise, and
//! guests get a GICv2 with a GICv2m frame.

use super::Scenario;
use crate::exec;
use crate::report::Report;
use std::fs;
use std::path::Path;

const UNSAFE: &str = ",unsafe-interrupts=on";

/// Something that is done on the lab host before the guests: shell text that must succeed, and what must be said.
pub struct Errand {
    /// Names the folder with its results.
    pub name: &'static str,
    /// The shell text; `$NVME` is the disk's address.
    pub shell: &'static str,
    /// Parts of what it prints.
    says: &'static [&'static str],
}

/// What the kernel refuses, and what it takes to have it allowed.
pub const ERRANDS: [Errand; 2] = [
    Errand {
        name: "refused",
        shell: "! mixvm check --vfio $NVME && \
                ! mixvm run --vfio $NVME,iommu=viommu,unsafe-interrupts=on /lab/guest-kernel",
        says: &[
            "MSIs isolated   no",
            "KVM offers      gicv2\n",
            "its interrupts (MSIs) are not isolated, so the device could raise any interrupt of the host (EPERM)",
            ",unsafe-interrupts=on; then also the host must allow it",
            "unsafe-interrupts=on is not enough, the host must allow it",
        ],
    },
    Errand {
        name: "allowed",
        shell: "echo Y >/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts && \
                ! mixvm check --vfio $NVME && mixvm check --vfio $NVME,unsafe-interrupts=on && \
                ! mixvm check --irqchip its --vfio $NVME,unsafe-interrupts=on",
        says: &[
            "has interrupts that are not known to be isolated",
            "Ready: a run with this would start.",
            "KVM can give the guest no other",
        ],
    },
];

impl Errand {
    /// What does not hold, by the results in `folder`.
    pub fn failures(&self, folder: &Path) -> Vec<String> {
        let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
        let said = read("console") + &read("stderr");
        let mut failures: Vec<_> = self
            .says
            .iter()
            .filter(|part| !said.contains(**part))
            .map(|part| format!("nobody said {part:?}"))
            .collect();
        let exit = Report::read(folder).exit;
        if exit != Some(0) {
            failures.push(format!("ended with {exit:?}: {}", exec::tail(&folder.join("stderr"), 4)));
        }
        failures
    }
}

/// Guests of such a host.
pub(super) fn all() -> Vec<Scenario> {
    let rows: [(&str, &[&str], u32); 2] =
        [("gicv2-bypass", &[], 2), ("gicv2-translate", &["--virtio-iommu=msi=translate"], 1)];
    let scenario = |(name, options, cpus): (&str, &[&str], u32)| {
        let mut scenario = Scenario::new(name, "");
        scenario.guest.cpus = cpus;
        scenario.guest.device_options = UNSAFE;
        scenario.guest.options = options.iter().map(|option| (*option).to_owned()).collect();
        scenario
    };
    rows.into_iter().map(scenario).collect()
}
