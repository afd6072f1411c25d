//! The virtual IOMMU's state in the words of the control socket.

use devices::virtio::iommu::ViommuReport as Device;
use vm_control::{
    DomainReport, EndpointReport, LegReport, RegionKind, RegionReport, RequestReport, ViommuReport,
};

use data_model::{Bdf, HostBdf};
use virtio_iommu_spec::{ResvKind, ResvMem};

/// What `viommu show` tells; `hosts` says which device of the host is behind which endpoint.
pub(super) fn viommu(device: &Device, hosts: &[(Bdf, HostBdf)]) -> ViommuReport {
    let counters = &device.counters;
    ViommuReport {
        features: device.features,
        input_range: device.input,
        page_size_mask: device.page_size_mask,
        bypass: device.iommu.bypass,
        endpoints: endpoints(device, hosts),
        domains: device.iommu.domains.iter().map(domain).collect(),
        legs: device.iommu.legs.iter().map(leg).collect(),
        requests: counters
            .kinds
            .iter()
            .map(|count| RequestReport {
                kind: count.kind.name().into(),
                ok: count.ok(),
                failed: count.failed(),
            })
            .collect(),
        faults: counters.events + counters.events_dropped,
        host_calls: device.iommu.host_calls,
    }
}

fn endpoints(device: &Device, hosts: &[(Bdf, HostBdf)]) -> Vec<EndpointReport> {
    let entry = |endpoint: &iommu_domain::EndpointReport| {
        let (guest, host) = hosts.iter().find(|(guest, _)| u32::from(guest.id()) == endpoint.id)?;
        let leg = endpoint.leg.as_deref().unwrap_or("none");
        let regions = device.regions.iter().find(|(id, _)| *id == endpoint.id);
        Some(EndpointReport {
            domain: endpoint.domain,
            reserved: regions.map(|(_, regions)| regions.iter().map(region).collect()).unwrap_or_default(),
            ..EndpointReport::assigned(*guest, *host, leg)
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

fn domain(domain: &iommu_domain::DomainReport) -> DomainReport {
    DomainReport {
        id: domain.id,
        bypass: domain.bypass,
        endpoints: domain.endpoints.clone(),
        mappings: domain.mappings as u64,
        software: domain.software as u64,
        bytes: u64::try_from(domain.bytes).unwrap_or(u64::MAX),
    }
}

fn leg(leg: &iommu_domain::LegReport) -> LegReport {
    LegReport {
        name: leg.name.clone(),
        mappings: leg.mappings as u64,
        host_mappings: leg.host_mappings,
        quarantined: leg.quarantined,
    }
}
