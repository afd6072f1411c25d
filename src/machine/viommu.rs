//! The virtual IOMMU, built with its full list of endpoints.

use std::sync::Arc;

use anyhow::Result;
use devices::virtio::iommu::{Viommu, ViommuConfig, ViommuEndpoint};
use iommu_domain::{EndpointSpec, Iommu, IommuConfig, Leg, PhysMap};
use virtio_iommu_spec::{ResvKind, ResvMem};

use super::assigned::Assigned;
use crate::plan::{Plan, Region, RegionKind, ViommuPlan};

/// The device over the legs of the assigned groups.
pub(crate) fn build(
    plan: &Plan,
    viommu: &ViommuPlan,
    assigned: &Assigned,
    phys: &Arc<PhysMap>,
) -> Result<Viommu> {
    let (groups, legs): (Vec<u32>, Vec<Box<dyn Leg>>) =
        assigned.legs().into_iter().map(|(group, leg)| (group, Box::new(leg) as Box<dyn Leg>)).unzip();
    let behind = || plan.devices.iter().filter(|device| device.behind_viommu);
    let specs = behind().map(|device| EndpointSpec {
        id: device.guest.id().into(),
        leg: groups.iter().position(|group| *group == device.group),
        reserved: viommu.reserved.iter().map(|region| region.span).collect(),
    });
    let mut config = IommuConfig::new(viommu.page_mask.granule(), viommu.input_range, viommu.bypass_at_boot);
    config.doorbell_windows = viommu.msi_windows.clone();
    let iommu = Iommu::new(config, phys.clone(), legs, specs.collect());
    let regions: Vec<ResvMem> = viommu.reserved.iter().map(region).collect();
    let endpoints =
        behind().map(|device| ViommuEndpoint { id: device.guest.id().into(), regions: regions.clone() });
    let shown =
        ViommuConfig { pages: viommu.page_mask, input: viommu.input_range, endpoints: endpoints.collect() };
    Ok(Viommu::new(&shown, iommu)?)
}

fn region(region: &Region) -> ResvMem {
    let kind = match region.kind {
        RegionKind::Msi => ResvKind::Msi,
        RegionKind::Reserved => ResvKind::Reserved,
    };
    ResvMem { kind, span: region.span }
}
