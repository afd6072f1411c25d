//! The table of guests that the lab runs, and what must hold after each.

mod checks;
mod control;
mod data;
mod emulated;
mod gicv2;
mod growth;
mod hostile;
mod kexec;
mod kills;
mod messages;
mod reboots;
mod revoke;
mod taken;
mod vfio;
mod wire;

use crate::arch::{Arch, Gic};
use crate::disk::Disk;
use crate::job::{Guest, PACKED, UNPACKED};
use crate::qemu::Device;
use crate::report::Report;
use crate::viommu::Viommu;

pub use kexec::DISK as KERNEL_DISK;

pub use gicv2::{ERRANDS as GICV2_ERRANDS, Errand};

/// VMM exit code after the guest switched itself off.
const POWERED_OFF: i32 = 0;
/// VMM exit code after the guest asked for a reset.
const RESET: i32 = 32;
/// How often the `rebind` action takes the disk's driver off and puts it back.
const REBINDS: u64 = 5;
/// The same in the scenario `rebind`, which looks for growth.
const MANY_REBINDS: u64 = 20;
/// Little, for bypass pins all of it.
const MEMORY_MIB: u32 = 256;

/// A guest and what is expected of it.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The guest; its name is the scenario's.
    pub guest: Guest,
    /// The VMM's exit code.
    exit: i32,
    /// What the kind of each of the guest's domains starts with.
    kind: &'static str,
    /// Emulated devices behind the virtual IOMMU.
    emulated: usize,
    /// Everything that does not hold after its life.
    judge: Judge,
}

type Judge = fn(&Scenario, &Report, &Disk) -> Vec<String>;

impl Scenario {
    fn new(name: &str, params: &str) -> Self {
        let guest = Guest {
            name: name.to_owned(),
            cpus: 1,
            memory_mib: MEMORY_MIB,
            devices: vec![Device::Nvme],
            params: params.to_owned(),
            actions: vec!["disk"],
            rig: Vec::new(),
            device_options: "",
            kernel: UNPACKED,
            strike: None,
            options: Vec::new(),
        };
        Self { guest, exit: POWERED_OFF, kind: "DMA", emulated: 0, judge: whole_life }
    }

    /// Host groups of the assigned devices: functions of one slot share theirs.
    fn groups(&self) -> usize {
        self.guest.devices.iter().filter(|device| device.function() == 0).count()
    }
}

/// The one guest of the demo.
pub fn demo() -> Scenario {
    Scenario::new("demo", "")
}

/// `count` starts, each other one ended by the guest's reset: nothing may pile up on the host.
pub fn cycles(count: u32) -> Vec<Scenario> {
    let cycle = |number: u32| {
        let mut scenario = Scenario::new(&format!("cycle-{number}"), "");
        if number.is_multiple_of(2) {
            scenario.guest.actions.push("reboot");
            scenario.exit = RESET;
        }
        scenario
    };
    (1..=count).map(cycle).collect()
}

/// Every scenario of a lab host, in the order in which they share it; `long`: also those that add time more than insight.
pub fn all(arch: Arch, gic: Gic, long: bool) -> Vec<Scenario> {
    if gic == Gic::V2 {
        return gicv2::all();
    }
    let messages = if arch.messages_are_writes() { messages::all() } else { Vec::new() };
    // Six boots, and the emulated host itself has died of a guest's panic: not by day.
    let kexec = if arch.takes_kernels_from_files() && long { kexec::all() } else { Vec::new() };
    let stress = [hostile::scenario(long || !arch.is_slow()), taken::scenario()].into_iter();
    let stress = stress.chain(kills::all(arch, long)).chain(reboots::all(long)).chain(kexec);
    let emulated =
        emulated::all().into_iter().chain(wire::all()).chain([data::scenario(), revoke::scenario()]);
    let whole = common().into_iter().chain(emulated).chain(messages).chain(vfio::all(arch)).chain(stress);
    whole.filter(|it| long || !by_night(arch).contains(&it.guest.name.as_str())).collect()
}

/// What is left for the night where the other architecture, or a scenario much like it, shows it by day.
fn by_night(arch: Arch) -> &'static [&'static str] {
    match arch {
        Arch::X86_64 => &[
            "forcedac",
            "four-cpus",
            "late-iommu",
            "passthrough",
            "root-disk",
            "strict",
            "two-groups",
            "vfio-one-domain",
            "wire",
        ],
        Arch::Aarch64 => &[
            "data-disks",
            "no-sandbox",
            "one-group",
            "rebind",
            "suspend",
            "taken-back",
            "terminal",
            "translate",
            "translate-forcedac",
            "translate-passthrough",
            "v2m",
            "v2m-passthrough",
            "vfio-in-guest",
            "wire",
            "wire-pairs",
        ],
    }
}

fn common() -> Vec<Scenario> {
    let mut four = Scenario::new("four-cpus", "");
    four.guest.cpus = 4;
    let mut passthrough = Scenario::new("passthrough", "iommu.passthrough=1");
    passthrough.kind = "identity";
    let mut two = Scenario::new("two-groups", "");
    two.guest.devices.push(Device::E1000e);
    two.guest.actions.push("network");
    two.guest.cpus = 2;
    let mut late = Scenario::new("late-iommu", "");
    late.guest.actions.extend(["late-iommu", "keep"]);
    let mut rebind = Scenario::new("rebind", "");
    rebind.guest.actions.push("rebind");
    rebind.guest.params = format!("lab.rebinds={MANY_REBINDS}");
    let mut threads = Scenario::new("no-sandbox", "");
    threads.guest.options.push("--disable-sandbox".to_owned());
    let mut reboot = Scenario::new("reboot", "");
    reboot.guest.actions.push("reboot");
    reboot.exit = RESET;
    let mut again = Scenario::new("start-after-reboot", "");
    again.guest.kernel = PACKED;
    vec![
        demo(),
        four,
        Scenario::new("strict", "iommu.strict=1"),
        passthrough,
        Scenario::new("forcedac", "iommu.forcedac=1"),
        two,
        late,
        rebind,
        threads,
        reboot,
        again,
        control::suspend(),
    ]
}

/// Everything that does not hold; empty when the scenario passed.
pub fn failures(scenario: &Scenario, report: &Report, disk: &Disk) -> Vec<String> {
    (scenario.judge)(scenario, report, disk)
}

/// What must hold between lives in one boot of the host, where some of them are there to be compared: a name, the figures, and
/// everything that does not hold.
pub fn across(lives: &[(&str, &Report)]) -> Option<(&'static str, String, Vec<String>)> {
    reboots::across(lives).map(|(figures, failures)| ("again", figures, failures))
}

/// What must hold when the guest reads the disk and ends as it was asked to.
fn whole_life(scenario: &Scenario, report: &Report, disk: &Disk) -> Vec<String> {
    let mut failures = Vec::new();
    let mut check = |holds: bool, text: String| {
        if !holds {
            failures.push(text);
        }
    };
    check(!report.stalled, "the guest stalled twice".into());
    let (exit, said) = (report.exit, &report.said);
    check(
        exit == Some(scenario.exit),
        format!("exit code {exit:?}, expected {}; it said: {said}", scenario.exit),
    );
    check(
        report.cpus == Some(scenario.guest.cpus.into()),
        format!("the guest saw {:?} processors", report.cpus),
    );
    for failure in &report.guest_failures {
        check(false, format!("in the guest: {failure}"));
    }
    for group in report.groups.iter().filter(|group| !group.kind.starts_with(scenario.kind)) {
        check(false, format!("{} has a {} domain, expected {}", group.device, group.kind, scenario.kind));
    }
    check(report.groups.iter().any(|group| group.driver == "nvme"), "no guest group holds the NVMe".into());
    let right = report.digest.as_deref() == Some(disk.digest.as_str());
    check(right, format!("digest read {:?}, expected {}", report.digest, disk.digest));
    check(report.write.as_deref() == Some("ok"), format!("copy by the device: {:?}", report.write));
    if !report.drawn {
        failures.push("`mixvm viommu map` drew no domain".to_owned());
    }
    failures.extend(control::failures(scenario, report));
    failures.extend(growth::rebinds(scenario, report));
    failures.extend(network(scenario, report));
    failures.extend(emulated::failures(scenario, report, disk));
    failures.extend(checks::rig(scenario, report));
    failures.extend(checks::faults(report));
    failures.extend(checks::clock(report));
    failures.extend(checks::queues(scenario, report));
    failures.extend(checks::refused_maps(report));
    failures.extend(wire::failures(scenario, report));
    failures.extend(data::failures(scenario, report, disk));
    failures.extend(left_behind(scenario, report));
    match &report.viommu {
        Some(viommu) => failures.extend(shown(scenario, report, viommu)),
        None => {
            let why = report.viommu_error.as_deref().unwrap_or_default();
            failures.push(format!("`mixvm viommu show` did not answer: {why}"));
        }
    }
    failures
}

fn network(scenario: &Scenario, report: &Report) -> Option<String> {
    let card = |device: &Device| matches!(device, Device::E1000e | Device::PairedE1000e);
    let wanted = scenario.guest.devices.iter().any(card);
    if !wanted || (report.ping.as_deref() == Some("ok") && report.groups.iter().any(|g| g.driver == "e1000e"))
    {
        return None;
    }
    Some(format!("network: ping {:?}, groups {:?}", report.ping, report.groups))
}

/// What the VMM must not leave on the host.
fn left_behind(scenario: &Scenario, report: &Report) -> Vec<String> {
    let mut failures: Vec<_> =
        report.busy.iter().map(|bdf| format!("the group of {bdf} is still in use")).collect();
    if report.free.len() + report.busy.len() != scenario.guest.devices.len() {
        failures.push("not every group was looked at after the end".to_owned());
    }
    if report.locked_kib != Some(0) {
        failures.push(format!("locked memory after the end: {:?} KiB", report.locked_kib));
    }
    if report.processes != Some(0) {
        failures.push(format!("processes of the VMM after the end: {:?}", report.processes));
    }
    // One that a signal killed could not take it away.
    if report.socket_left && report.exit.is_none_or(|code| code < 128) {
        failures.push("its control socket after the end".to_owned());
    }
    if report.pinned_pages != Some(0) {
        failures.push(format!("pinned pages after the end: {:?}", report.pinned_pages));
    }
    failures
}

/// The VMM's own view against the guest's and the host's.
fn shown(scenario: &Scenario, report: &Report, viommu: &Viommu) -> Vec<String> {
    let mut failures = viommu.differences();
    let devices = scenario.guest.devices.len() + scenario.emulated;
    let count = scenario.groups() + scenario.emulated;
    if viommu.endpoints.len() != devices || viommu.legs.len() != count {
        let (endpoints, legs) = (viommu.endpoints.len(), viommu.legs.len());
        failures
            .push(format!("{endpoints} endpoints on {legs} legs for {devices} devices of {count} groups"));
    }
    let mut domains: Vec<_> = viommu.endpoints.iter().filter_map(|endpoint| endpoint.domain).collect();
    domains.sort_unstable();
    domains.dedup();
    // Endpoints whose domains are bypassed may share one; translated groups never do.
    if scenario.kind == "DMA" && domains.len() != count {
        failures.push(format!("{} domains for {count} groups", domains.len()));
    }
    for region in viommu.endpoints.iter().flat_map(|endpoint| &endpoint.reserved) {
        let line = format!("{:#018x} {:#018x} {}", region.start, region.last, region.kind);
        if !report.reserved.iter().any(|seen| seen.ends_with(&line)) {
            failures.push(format!("the guest does not show the reserved region {line}"));
        }
    }
    failures
}

#[cfg(test)]
mod tests;
