//! The device as its transport and the rest of the machine see it.

use std::sync::Arc;
use std::time::Duration;

use base::{GuestMem, Rarely};
use data_model::{PageMask, Span};
use iommu_domain::{Backing, Detail, Iommu, IommuReport, PhysConflict, SoftTable};
use sync::Mutex;
use thiserror::Error;
use virtio_bindings::bindings::virtio_ring::VIRTIO_RING_F_EVENT_IDX;
use virtio_iommu_spec::{
    CONFIG_BYPASS_OFFSET, Config, DEVICE_ID, Features, RESV_MEM_SIZE, ResvKind, ResvMem,
};
use zerocopy::IntoBytes;

use super::Core;
use super::counters::RequestCounters;
use super::events::{EndpointFaults, FaultSink};
use super::msi::{Messages, TranslatedMsi};
use super::poll::{PollMode, Window};
use super::worker::WorkerHandle;
use crate::irq::MsiController;
use crate::virtio::{ActivateError, Activation, Dma, DmaView, VirtioDevice};

const NAME: &str = "virtio-iommu";
const QUEUE_SIZES: [u16; 2] = [256, 64];
/// Room for 21 regions; more when an endpoint has more.
const PROBE_SIZE: usize = 512;

/// Without BYPASS_CONFIG where there can be no bypass: the driver learns that before it asks. Never INDIRECT_DESC: Linux would
/// allocate a table for each request and free it again, while it spins.
const OFFERED: u64 = Features::INPUT_RANGE
    | Features::DOMAIN_RANGE
    | Features::MAP_UNMAP
    | Features::PROBE
    | Features::MMIO
    | Features::BYPASS_CONFIG
    | 1 << VIRTIO_RING_F_EVENT_IDX;

/// What the guest is told of an endpoint.
#[derive(Clone, Debug)]
pub struct ViommuEndpoint {
    /// Its id: the requester id of the device in the guest.
    pub id: u32,
    /// Regions for the answer to PROBE; disjoint, at most one of kind MSI.
    pub regions: Vec<ResvMem>,
}

/// What the device offers.
#[derive(Clone, Debug)]
pub struct ViommuConfig {
    /// Page sizes as the guest shall see them.
    pub pages: PageMask,
    /// What the guest is told of each endpoint.
    pub endpoints: Vec<ViommuEndpoint>,
}

/// A device cannot be made as asked.
#[derive(Debug, Error)]
pub enum ViommuError {
    /// The regions of an endpoint break a rule of the specification (V2, V3).
    #[error("endpoint {endpoint:#x}: reserved regions overlap, or more than one is for MSIs")]
    Regions {
        /// Whose.
        endpoint: u32,
    },
    /// The host gave no event descriptor.
    #[error("cannot make an event descriptor: {0}")]
    Event(#[from] std::io::Error),
}

/// The virtio-iommu device.
pub struct Viommu {
    pub(super) core: Arc<Mutex<Core>>,
    pub(super) sink: Arc<FaultSink>,
    /// What each worker begins with.
    window: Window,
    worker: Option<WorkerHandle>,
    /// Features that a driver may accept.
    offered: u64,
    /// The configuration space; `bypass` in it follows the IOMMU. Here, and not with the state, so that a read never waits.
    config: Config,
}

/// The device's state, for the rest of the machine: reports, MSI translation.
#[derive(Clone)]
pub struct ViommuHandle {
    core: Arc<Mutex<Core>>,
}

/// What the device holds and has done.
#[derive(Clone, Debug)]
pub struct ViommuReport {
    /// Features that the driver accepted; 0 while there is none.
    pub features: u64,
    /// Page sizes that the guest sees, as a mask.
    pub page_size_mask: u64,
    /// Addresses that endpoints can use.
    pub input: Span,
    /// Regions published by endpoint.
    pub regions: Vec<(u32, Vec<ResvMem>)>,
    /// Endpoints, domains, legs.
    pub iommu: IommuReport,
    /// Requests by kind and status.
    pub counters: RequestCounters,
    /// Requests that failed because the host did.
    pub host_failures: u64,
}

impl Viommu {
    /// A device over `iommu`, whose endpoints it describes in `config`.
    pub fn new(config: &ViommuConfig, iommu: Iommu) -> Result<Viommu, ViommuError> {
        for endpoint in &config.endpoints {
            check_regions(endpoint)?;
        }
        let most = config.endpoints.iter().map(|endpoint| endpoint.regions.len()).max().unwrap_or(0);
        let probe_size = PROBE_SIZE.max(most.saturating_add(1).saturating_mul(RESV_MEM_SIZE));
        let properties = config.endpoints.iter().map(|it| (it.id, Core::encode(&it.regions, probe_size)));
        let sink = Arc::new(FaultSink::new()?);
        let offered = if iommu.can_bypass() { OFFERED } else { OFFERED & !Features::BYPASS_CONFIG };
        let space =
            Config::new(config.pages, iommu.config().input, u32::MAX, probe_size as u32, iommu.bypass());
        let core = Core {
            page_size_mask: space.page_size_mask.get(),
            probe_size,
            iommu,
            properties: properties.collect(),
            doorbells: config.endpoints.iter().filter_map(doorbell).collect(),
            messages: Messages::default(),
            features: 0,
            counters: RequestCounters::default(),
            host_failures: Rarely::default(),
            broken_rings: Rarely::default(),
            used_up: Rarely::default(),
            sink: sink.clone(),
        };
        let window = Window::never();
        let core = Arc::new(Mutex::new(core));
        Ok(Viommu { core, sink, window, worker: None, offered, config: space })
    }

    /// The same device, whose worker looks for requests as `mode` says. To decide for itself it measures first what it takes to
    /// be woken, some ten times.
    pub fn polling(mut self, mode: PollMode) -> Viommu {
        self.window = Window::here(mode);
        self
    }

    /// The way to the state for the rest of the machine.
    pub fn handle(&self) -> ViommuHandle {
        ViommuHandle { core: self.core.clone() }
    }
}

/// The region where messages of an endpoint need no mapping, if there is one.
fn doorbell(endpoint: &ViommuEndpoint) -> Option<(u32, Span)> {
    let region = endpoint.regions.iter().find(|region| region.kind == ResvKind::Msi)?;
    Some((endpoint.id, region.span))
}

/// At most one MSI region (V2), none that overlap (V3).
fn check_regions(endpoint: &ViommuEndpoint) -> Result<(), ViommuError> {
    let mut spans: Vec<Span> = endpoint.regions.iter().map(|region| region.span).collect();
    spans.sort_unstable();
    let overlapping = spans.windows(2).any(|pair| pair[0].overlaps(&pair[1]));
    let msi = endpoint.regions.iter().filter(|region| region.kind == ResvKind::Msi).count();
    if overlapping || msi > 1 {
        return Err(ViommuError::Regions { endpoint: endpoint.id });
    }
    Ok(())
}

impl ViommuHandle {
    /// What the device holds now, in numbers.
    pub fn report(&self) -> ViommuReport {
        report(&self.core.lock(), Detail::default())
    }

    /// What the device holds now; `None` when it is busy for longer than `patience`, as it may be with an ATTACH that fills a
    /// container. The driver's requests wait while details are gathered.
    pub fn report_in(&self, detail: Detail, patience: Duration) -> Option<ViommuReport> {
        self.core.try_lock_for(patience).map(|core| report(&core, detail))
    }

    /// Device memory has appeared in the guest: a possible target of mappings, and of those that lead there already.
    pub fn insert_memory(&self, span: Span, backing: Backing) -> Result<(), PhysConflict> {
        let mut core = self.core.lock();
        core.iommu.insert_memory(span, backing)?.iter().for_each(|failure| core.host_failed(failure));
        Ok(())
    }

    /// It is gone: afterwards no device reaches it through a mapping.
    pub fn remove_memory(&self, span: Span) {
        let mut core = self.core.lock();
        core.iommu.remove_memory(span).iter().for_each(|failure| core.host_failed(failure));
    }

    /// Memory as the emulated device `endpoint` sees it: `ram` through its table. What does not translate is reported to the
    /// driver as a fault.
    pub fn dma(&self, endpoint: u32, ram: Arc<GuestMem>, table: Arc<SoftTable>) -> Dma {
        let faults = EndpointFaults { core: self.core.clone(), endpoint };
        Dma::translated(ram, DmaView::new(table, Arc::new(faults)))
    }

    /// Gives out vectors of `inner` for endpoints: the guest programs addresses that are translated, and a message is
    /// routed anew before any request that changes where it leads is answered. An address that leads nowhere, when it is
    /// programmed, is reported to the driver as a fault.
    pub fn translated_msi(&self, inner: Arc<dyn MsiController>) -> Arc<dyn MsiController> {
        Arc::new(TranslatedMsi { core: self.core.clone(), inner })
    }
}

/// Everything that the state tells.
fn report(core: &Core, detail: Detail) -> ViommuReport {
    let regions =
        core.properties.iter().map(|(id, bytes)| (*id, regions(bytes.as_deref().unwrap_or_default())));
    ViommuReport {
        features: core.features,
        page_size_mask: core.page_size_mask,
        input: core.iommu.config().input,
        regions: regions.collect(),
        iommu: core.iommu.report_in(detail),
        counters: core.counters.clone(),
        host_failures: core.host_failures.total(),
    }
}

/// The regions in an answer to PROBE.
fn regions(bytes: &[u8]) -> Vec<ResvMem> {
    let region = |property| match property {
        virtio_iommu_spec::Property::ResvMem(region) => Some(region),
        _ => None,
    };
    virtio_iommu_spec::properties(bytes).filter_map(region).collect()
}

impl VirtioDevice for Viommu {
    fn name(&self) -> &'static str {
        NAME
    }

    fn device_id(&self) -> u16 {
        DEVICE_ID
    }

    /// A kernel that gives way to another takes bus mastering from one function after the other, and meanwhile a driver may still
    /// map or unmap for a device behind the IOMMU. Linux waits for the answer with interrupts off, so an IOMMU that stopped would
    /// hang it for good; a reset would take domains of devices that are still at work. What it writes until its own reset are the
    /// answers that such drivers ask for, and reports of their faults.
    fn is_steadfast(&self) -> bool {
        true
    }

    fn features(&self) -> u64 {
        self.offered // F1, F2
    }

    fn queue_sizes(&self) -> &[u16] {
        &QUEUE_SIZES
    }

    fn config_read(&self, offset: u64, data: &mut [u8]) {
        data.fill(0);
        let bytes = usize::try_from(offset)
            .ok()
            .and_then(|offset| self.config.as_bytes().get(offset..))
            .unwrap_or_default();
        for (to, from) in data.iter_mut().zip(bytes) {
            *to = *from;
        }
    }

    /// Only `bypass` can be written, as one byte, when negotiated, to 0 or 1 (C4, C5); other fields keep their value.
    fn config_write(&mut self, offset: u64, data: &[u8], features: u64) -> bool {
        let Some(span) = Span::from_len(offset, data.len() as u64) else { return true };
        if !span.contains(CONFIG_BYPASS_OFFSET) {
            return true;
        }
        let value = match data {
            [value @ (0 | 1)] if features & self.offered & Features::BYPASS_CONFIG != 0 => *value,
            _ => return false,
        };
        self.config.bypass = value;
        let mut core = self.core.lock();
        core.iommu.set_bypass(value == 1); // C6
        core.reroute_all();
        true
    }

    fn activate(&mut self, activation: Activation) -> Result<(), ActivateError> {
        self.core.lock().features = activation.features;
        let (core, sink, window) = (self.core.clone(), self.sink.clone(), self.window.clone());
        let started = WorkerHandle::start(core, sink, activation, window);
        self.worker = Some(started.map_err(ActivateError::of(NAME))?);
        Ok(())
    }

    fn reset(&mut self) {
        self.worker = None;
        let mut core = self.core.lock();
        core.features = 0;
        core.iommu.reset(); // C7; bypass stays (C3)
        core.reroute_all();
    }

    fn system_reset(&mut self) {
        self.worker = None;
        let mut core = self.core.lock();
        core.features = 0;
        core.iommu.system_reset();
        core.reroute_all();
        self.config.bypass = core.iommu.bypass().into(); // C3
    }
}
