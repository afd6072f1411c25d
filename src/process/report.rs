//! The virtual IOMMU's state in the words of the control socket.

use std::time::Duration;

use data_model::Bdf;
use devices::virtio::iommu::{RequestCount, ViommuReport as Device};
use iommu_domain::{Perm, Run, RunKind as Kind, Slot};
use virtio_iommu_spec::{Features, ResvKind, ResvMem, Status};
use vm_control::{
    DomainReport, EndpointReport, LegReport, RegionKind, RegionReport, RequestReport, RunKind, RunReport,
    SlotReport, ViommuReport,
};

/// Feature bits of every virtio device that ours offer.
const COMMON_FEATURES: [(u64, &str); 4] = [
    (1 << 28, "RING_INDIRECT_DESC"),
    (1 << 29, "RING_EVENT_IDX"),
    (1 << 32, "VERSION_1"),
    (1 << 33, "ACCESS_PLATFORM"),
];

/// An endpoint in the guest and on the host.
pub(super) struct Place {
    pub guest: Bdf,
    /// The device of the host, or the emulated one.
    pub host: String,
    pub group: Option<u32>,
}

/// What `viommu show` tells; `slots` is how many mappings it may list.
pub(super) fn viommu(device: &Device, places: &[Place], slots: usize) -> ViommuReport {
    let (counters, iommu) = (&device.counters, &device.iommu);
    let legs: Vec<LegReport> = iommu.legs.iter().map(leg).collect();
    let mut left = slots;
    ViommuReport {
        features: device.features,
        feature_names: feature_names(device.features),
        input_range: device.input,
        page_size_mask: device.page_size_mask,
        bypass: iommu.bypass,
        endpoints: endpoints(device, places),
        domains: iommu.domains.iter().map(|it| domain(it, &mut left)).collect(),
        requests: counters.kinds.iter().map(requests).collect(),
        unanswered: counters.unanswered,
        faults: counters.events + counters.events_dropped,
        faults_dropped: counters.events_dropped,
        host_calls: iommu.host_calls,
        host_failures: device.host_failures,
        host_time_ns: legs.iter().fold(0, |sum, leg| leg.host_time_ns.saturating_add(sum)),
        pinned: legs.iter().fold(0, |sum, leg| leg.pinned.saturating_add(sum)),
        legs,
    }
}

/// Names of feature bits, in the order of the bits; a bit without a name by its number.
fn feature_names(bits: u64) -> Vec<String> {
    let name = |bit: u64| {
        let known = Features::NAMES.iter().chain(&COMMON_FEATURES).find(|(mask, _)| *mask == 1 << bit);
        known.map_or_else(|| format!("bit {bit}"), |(_, name)| (*name).to_owned())
    };
    (0..u64::from(u64::BITS)).filter(|bit| bits >> bit & 1 != 0).map(name).collect()
}

fn requests(count: &RequestCount) -> RequestReport {
    let by_status = Status::ALL.iter().zip(count.by_status).filter(|(_, count)| *count != 0);
    RequestReport {
        kind: count.kind.name().into(),
        ok: count.ok(),
        failed: count.failed(),
        by_status: by_status.map(|(status, count)| (status.name().to_owned(), count)).collect(),
    }
}

fn endpoints(device: &Device, places: &[Place]) -> Vec<EndpointReport> {
    let entry = |endpoint: &iommu_domain::EndpointReport| {
        let place = places.iter().find(|place| u32::from(place.guest.id()) == endpoint.id)?;
        let leg = endpoint.leg.as_deref().unwrap_or("none");
        let regions = device.regions.iter().find(|(id, _)| *id == endpoint.id);
        Some(EndpointReport {
            domain: endpoint.domain,
            group: place.group,
            reserved: regions.map(|(_, regions)| regions.iter().map(region).collect()).unwrap_or_default(),
            ..EndpointReport::new(place.guest, &place.host, leg)
        })
    };
    device.iommu.endpoints.iter().filter_map(entry).collect()
}

fn region(region: &ResvMem) -> RegionReport {
    let kind = match region.kind {
        ResvKind::Msi => RegionKind::Msi,
        ResvKind::Reserved => RegionKind::Reserved,
    };
    RegionReport { span: region.span, kind }
}

/// A domain; its mappings are listed as long as `left` lasts.
fn domain(domain: &iommu_domain::DomainReport, left: &mut usize) -> DomainReport {
    let slots: Vec<_> = domain.slots.iter().take(*left).map(slot).collect();
    *left -= slots.len();
    DomainReport {
        id: domain.id,
        bypass: domain.bypass,
        endpoints: domain.endpoints.clone(),
        mappings: domain.mappings as u64,
        software: domain.software as u64,
        bytes: narrow(domain.bytes),
        slots,
        runs: domain.runs.iter().map(run).collect(),
    }
}

fn slot(slot: &Slot) -> SlotReport {
    let mapping = &slot.mapping;
    SlotReport {
        span: mapping.iova,
        phys: mapping.phys,
        perm: mapping.perm.to_string(),
        software: slot.software,
    }
}

fn run(run: &Run) -> RunReport {
    let kind = match run.kind {
        Kind::Memory(Perm::READ) => RunKind::R,
        Kind::Memory(Perm::WRITE) => RunKind::W,
        Kind::Memory(Perm::READ_WRITE) => RunKind::Rw,
        Kind::Memory(_) => RunKind::None,
        Kind::Doorbell => RunKind::Doorbell,
        Kind::Mixed => RunKind::Mixed,
    };
    RunReport { span: run.span, kind, mappings: run.mappings as u64, bytes: narrow(run.bytes) }
}

fn leg(leg: &iommu_domain::LegReport) -> LegReport {
    LegReport {
        name: leg.name.clone(),
        mappings: leg.mappings as u64,
        host_mappings: leg.host_mappings,
        quarantined: leg.quarantined,
        between: leg.between,
        endpoints: leg.endpoints.clone(),
        pinned: narrow(leg.pinned),
        host_time_ns: nanoseconds(leg.host_time),
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// A number of bytes; only the whole address space does not fit.
fn narrow(bytes: u128) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
