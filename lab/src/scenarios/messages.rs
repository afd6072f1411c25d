//! Scenarios where interrupt messages are writes to memory: both kinds of frame that take them, and messages that the
//! guest's IOMMU translates.

use super::Scenario;

const V2M: &[&str] = &["--irqchip", "v2m"];
const TRANSLATE: &[&str] = &["--virtio-iommu=msi=translate"];

/// Name, options of the VMM, kernel parameters, processors, kind of domain.
type Row = (&'static str, &'static [&'static [&'static str]], &'static str, u32, &'static str);

const ROWS: [Row; 8] = [
    ("v2m", &[V2M], "", 1, "DMA"),
    ("v2m-four-cpus", &[V2M], "", 4, "DMA"),
    ("v2m-passthrough", &[V2M], "iommu.passthrough=1", 1, "identity"),
    ("translate", &[TRANSLATE], "", 1, "DMA"),
    ("translate-four-cpus", &[TRANSLATE], "iommu.strict=1", 4, "DMA"),
    ("translate-passthrough", &[TRANSLATE], "iommu.passthrough=1", 1, "identity"),
    ("translate-forcedac", &[TRANSLATE], "iommu.forcedac=1", 1, "DMA"),
    ("translate-v2m", &[TRANSLATE, V2M], "", 2, "DMA"),
];

/// All of them.
pub(super) fn all() -> Vec<Scenario> {
    ROWS.iter().map(scenario).collect()
}

fn scenario(row: &Row) -> Scenario {
    let (name, options, params, cpus, kind) = *row;
    let mut scenario = Scenario::new(name, params);
    scenario.guest.cpus = cpus;
    scenario.guest.options = options.concat().into_iter().map(str::to_owned).collect();
    scenario.guest.actions.push("rebind");
    scenario.kind = kind;
    scenario
}
