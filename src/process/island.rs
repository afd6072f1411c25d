//! The virtual IOMMU in its own process, and what main asks it besides register accesses.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use base::{GuestRam, HostMemory, MappedRegion, Tube, event_fd};
use data_model::{Bdf, Span};
use devices::irq::{MsiController, MsiMessage, MsiVector};
use devices::remote::{Answering, Services};
use devices::virtio::Dma;
use devices::virtio::iommu::{Viommu, ViommuConfig, ViommuEndpoint, ViommuHandle};
use iommu_domain::mixed::{self, MsiPolicy};
use iommu_domain::{
    Backing, Detail, EndpointSpec, Iommu, IommuConfig, Leg, PhysMap, SoftLeg, SoftTable, Type1Leg, VfioHost,
};
use serde::{Deserialize, Serialize};
use virtio_iommu_spec::{ResvKind, ResvMem};
use vm_control::ViommuReport;

use super::emulated;
use super::report::{self, Place};
use super::setup::{EmulatedSetup, IslandSetup, LegSetup};
use super::worker::{Neighbour, errno};

/// A report waits so long for a request of the guest to end, and then says that the device is busy: nothing depends on it.
const BUSY: Duration = Duration::from_secs(1);

/// Main asks the island.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Question {
    /// What it holds, with each mapping or the shape of each domain if asked for.
    Report {
        /// Mappings at most, all domains together.
        slots: usize,
        /// Runs at most, in each domain.
        runs: usize,
    },
    /// Device memory has appeared: the file comes along, mapped from this offset on.
    Insert(Span, u64),
    /// It is gone.
    Remove(Span),
    /// A message vector of an endpoint, translated like its other accesses. Its event comes with the answer.
    Vector(Bdf),
    /// Program it.
    Route(u32, MsiMessage),
    /// Switch it off.
    Unroute(u32),
    /// Give it back.
    Free(u32),
}

/// The island answers.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    /// Done.
    Done,
    /// Made under this number.
    Made(u32),
    /// What it holds.
    Report(Box<ViommuReport>),
    /// Refused, with the system's error number.
    Failed(i32),
}

/// What the island knows besides its registers.
pub(super) struct Island {
    handle: ViommuHandle,
    places: Vec<Place>,
    /// Gives vectors whose messages are translated.
    msi: Arc<dyn MsiController>,
    vectors: BTreeMap<u32, Arc<dyn MsiVector>>,
    next: u32,
}

impl Island {
    /// The device over the containers, its other side, and the emulated devices behind it.
    pub(super) fn build(
        setup: &IslandSetup,
        ram: &GuestRam,
        mut fds: Vec<OwnedFd>,
        services: &Services,
    ) -> Result<(Viommu, Island, Vec<Neighbour>)> {
        let phys = Arc::new(PhysMap::new(HostMemory::of_ram(ram))?);
        if let Some(doorbell) = setup.doorbell {
            phys.insert(doorbell, Backing::Doorbell)?;
        }
        let containers: Vec<OwnedFd> = fds.drain(..setup.legs.len().min(fds.len())).collect();
        let legs = setup.legs.iter().zip(containers).map(|(leg, fd)| Self::leg(leg, fd, services));
        let mut legs = legs.collect::<io::Result<Vec<_>>>()?;
        let tables = setup.emulated.iter().map(|device| soft_table(setup, device));
        let tables = tables.collect::<Result<Vec<_>>>()?;
        let first = legs.len();
        legs.extend(setup.emulated.iter().zip(&tables).map(|(device, table)| soft_leg(device, table)));
        let device = Self::viommu(setup, phys, legs, first)?;
        let handle = device.handle();
        let mut neighbours = Vec::new();
        for (device, table) in setup.emulated.iter().zip(tables) {
            let mem = handle.dma(device.at.id().into(), ram.mem.clone(), table);
            neighbours.push(neighbour(device, mem, &mut fds, &handle, setup.translates_messages)?);
        }
        let msi = handle.translated_msi(Arc::new(services.clone()));
        let places = places(setup);
        let island = Island { msi, handle, places, vectors: BTreeMap::new(), next: 0 };
        Ok((device, island, neighbours))
    }

    /// The device. Legs from `first` on belong to the emulated endpoints, in their order.
    fn viommu(
        setup: &IslandSetup,
        phys: Arc<PhysMap>,
        legs: Vec<Box<dyn Leg>>,
        first: usize,
    ) -> Result<Viommu> {
        let regions: Vec<ResvMem> = setup.regions.iter().map(region).collect();
        let assigned = setup.endpoints.iter().map(|(guest, _, leg)| (*guest, *leg));
        let emulated = setup.emulated.iter().zip(first..).map(|(device, leg)| (device.at, Some(leg)));
        let all: Vec<(Bdf, Option<usize>)> = assigned.chain(emulated).collect();
        let spec = |(guest, leg): &(Bdf, Option<usize>)| EndpointSpec {
            id: guest.id().into(),
            leg: *leg,
            reserved: regions.iter().map(|region| region.span).collect(),
        };
        let mut config = IommuConfig::new(setup.pages.granule(), setup.input, setup.bypass_at_boot);
        config.doorbell_windows = setup.windows.clone();
        config.lockable = setup.lockable.unwrap_or(u64::MAX);
        let iommu = Iommu::new(config, phys, legs, all.iter().map(spec).collect());
        let shown = |(guest, _): &(Bdf, Option<usize>)| ViommuEndpoint {
            id: guest.id().into(),
            regions: regions.clone(),
        };
        let endpoints = all.iter().map(shown).collect();
        let config = ViommuConfig { pages: setup.pages, endpoints };
        Ok(Viommu::new(&config, iommu)?.polling(setup.poll))
    }

    fn leg(leg: &LegSetup, container: OwnedFd, services: &Services) -> io::Result<Box<dyn Leg>> {
        let container = vfio::Container::from_fd(container);
        container.prepare()?;
        // The devices are in other processes: main resets them.
        let (services, group) = (services.clone(), leg.group);
        let host = VfioHost::new(Arc::new(container), Box::new(move || services.block(group)));
        Ok(Box::new(Type1Leg::new(leg.name.clone(), host)))
    }

    fn carry_out(&mut self, question: Question, fds: Vec<OwnedFd>) -> io::Result<(Answer, Vec<OwnedFd>)> {
        match question {
            Question::Report { slots, runs } => {
                let detail = Detail { slots, runs, pinned: true };
                let report = self.handle.report_in(detail, BUSY).ok_or(rustix::io::Errno::BUSY)?;
                let report = report::viommu(&report, &self.places, slots);
                return Ok((Answer::Report(Box::new(report)), Vec::new()));
            }
            Question::Insert(span, offset) => self.insert(span, offset, fds)?,
            Question::Remove(span) => self.handle.remove_memory(span),
            Question::Vector(requester) => return self.vector(requester),
            Question::Route(number, message) => self.known(number)?.route(message)?,
            Question::Unroute(number) => self.known(number)?.unroute()?,
            Question::Free(number) => drop(self.vectors.remove(&number)),
        }
        Ok((Answer::Done, Vec::new()))
    }

    fn insert(&self, span: Span, offset: u64, fds: Vec<OwnedFd>) -> io::Result<()> {
        let file = fds.into_iter().next().ok_or(io::ErrorKind::InvalidInput)?;
        let len = span.len().ok_or(io::ErrorKind::InvalidInput)?;
        let region =
            Arc::new(MappedRegion::new(&file, offset, usize::try_from(len).unwrap_or(usize::MAX), true)?);
        let memory = HostMemory::of_device(region, 0, len).ok_or(io::ErrorKind::InvalidInput)?;
        self.handle.insert_memory(span, Backing::Memory(memory)).map_err(io::Error::other)
    }

    fn vector(&mut self, requester: Bdf) -> io::Result<(Answer, Vec<OwnedFd>)> {
        let vector = self.msi.vector(requester)?;
        let event = event_fd(vector.event()).as_fd().try_clone_to_owned()?;
        self.next = self.next.wrapping_add(1);
        self.vectors.insert(self.next, vector);
        Ok((Answer::Made(self.next), vec![event]))
    }

    fn known(&self, number: u32) -> io::Result<&Arc<dyn MsiVector>> {
        self.vectors.get(&number).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// Where every endpoint is.
fn places(setup: &IslandSetup) -> Vec<Place> {
    let assigned = setup.endpoints.iter().map(|(guest, host, leg)| {
        let leg = leg.and_then(|index| setup.legs.get(index));
        Place { guest: *guest, host: host.to_string(), group: leg.map(|leg| leg.group) }
    });
    let emulated = setup.emulated.iter().map(|device| Place {
        guest: device.at,
        host: device.name().to_owned(),
        group: None,
    });
    assigned.chain(emulated).collect()
}

/// What an emulated device reaches, nothing at first: a mixed domain that knows what its endpoint was told. Messages pass the region
/// that is theirs untranslated; in a window of the host the guest may map its doorbell, and nothing else.
fn soft_table(setup: &IslandSetup, device: &EmulatedSetup) -> Result<Arc<SoftTable>> {
    let (messages, others): (Vec<_>, Vec<_>) = setup.regions.iter().partition(|(_, msi)| *msi);
    let policy = MsiPolicy::Hw { regions: messages.iter().map(|(span, _)| *span).collect() };
    let window = |span: &Span| setup.windows.iter().any(|window| window.overlaps(span));
    let kind = |span| if window(&span) { mixed::ResvKind::SwMsi } else { mixed::ResvKind::Reserved };
    let resv = others.iter().map(|(span, _)| (*span, kind(*span))).collect();
    let known = mixed::Device { resv, ..mixed::Device::new(device.at.id().into()) };
    let config = mixed::Config::emulated(setup.pages.granule(), setup.input, policy);
    Ok(Arc::new(SoftTable::new(config, known).with_context(|| device.name().to_owned())?))
}

fn soft_leg(device: &EmulatedSetup, table: &Arc<SoftTable>) -> Box<dyn Leg> {
    Box::new(SoftLeg::new(format!("software {}", device.at), table.clone()))
}

/// An emulated device behind the virtual IOMMU, from the next of `fds`: its tubes, then what is its own.
fn neighbour(
    setup: &EmulatedSetup,
    mem: Dma,
    fds: &mut Vec<OwnedFd>,
    handle: &ViommuHandle,
    translates_messages: bool,
) -> Result<Neighbour> {
    let mut own = fds.drain(..(setup.descriptors() + 2).min(fds.len()));
    let mut next = || own.next().with_context(|| format!("{}: a descriptor is missing", setup.role()));
    let tube = Tube::from_fd(next()?);
    let services = Services::new(Tube::from_fd(next()?));
    let device = emulated::device(setup, own.collect()).with_context(|| setup.role())?;
    let msi: Arc<dyn MsiController> = Arc::new(services.clone());
    let msi = if translates_messages { handle.translated_msi(msi) } else { msi };
    let function = emulated::function(setup.at, device, mem, &services, msi)?;
    Ok(Neighbour { name: setup.role(), tube, function })
}

fn region((span, msi): &(Span, bool)) -> ResvMem {
    ResvMem { kind: if *msi { ResvKind::Msi } else { ResvKind::Reserved }, span: *span }
}

impl Answering for Island {
    fn answer(&mut self, question: &[u8], fds: Vec<OwnedFd>) -> (Vec<u8>, Vec<OwnedFd>) {
        let carried = serde_json::from_slice(question)
            .map_err(io::Error::from)
            .and_then(|question| self.carry_out(question, fds));
        let (answer, fds) = carried.unwrap_or_else(|error| (Answer::Failed(errno(&error)), Vec::new()));
        (serde_json::to_vec(&answer).unwrap_or_default(), fds)
    }
}
