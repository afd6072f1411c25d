//! The virtual IOMMU in its own process, and what main asks it besides register accesses.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use anyhow::Result;
use base::{GuestRam, HostMemory, MappedRegion, event_fd};
use data_model::{Bdf, HostBdf, Span};
use devices::irq::{MsiController, MsiMessage, MsiVector};
use devices::remote::{Answering, Services};
use devices::virtio::iommu::{Viommu, ViommuConfig, ViommuEndpoint, ViommuHandle};
use iommu_domain::{Backing, Detail, EndpointSpec, Iommu, IommuConfig, Leg, PhysMap, Type1Leg, VfioHost};
use serde::{Deserialize, Serialize};
use virtio_iommu_spec::{ResvKind, ResvMem};
use vm_control::ViommuReport;

use super::report::{self, Place};
use super::setup::{IslandSetup, LegSetup};
use super::worker::errno;

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
    phys: Arc<PhysMap>,
    places: Vec<Place>,
    /// Gives vectors whose messages are translated.
    msi: Arc<dyn MsiController>,
    vectors: BTreeMap<u32, Arc<dyn MsiVector>>,
    next: u32,
}

impl Island {
    /// The device over the containers, and its other side.
    pub(super) fn build(
        setup: &IslandSetup,
        ram: &GuestRam,
        containers: Vec<OwnedFd>,
        services: &Services,
    ) -> Result<(Viommu, Island)> {
        let phys = Arc::new(PhysMap::new(HostMemory::of_ram(ram))?);
        if let Some(doorbell) = setup.doorbell {
            phys.insert(doorbell, Backing::Doorbell)?;
        }
        let legs = setup.legs.iter().zip(containers).map(|(leg, fd)| Self::leg(leg, fd, services));
        let legs = legs.collect::<io::Result<Vec<_>>>()?;
        let regions: Vec<ResvMem> = setup.regions.iter().map(region).collect();
        let spec = |(guest, _, leg): &(Bdf, HostBdf, Option<usize>)| EndpointSpec {
            id: guest.id().into(),
            leg: *leg,
            reserved: regions.iter().map(|region| region.span).collect(),
        };
        let mut config = IommuConfig::new(setup.pages.granule(), setup.input, setup.bypass_at_boot);
        config.doorbell_windows = setup.windows.clone();
        let iommu = Iommu::new(config, phys.clone(), legs, setup.endpoints.iter().map(spec).collect());
        let shown = |(guest, ..): &(Bdf, HostBdf, Option<usize>)| ViommuEndpoint {
            id: guest.id().into(),
            regions: regions.clone(),
        };
        let endpoints = setup.endpoints.iter().map(shown).collect();
        let device = Viommu::new(&ViommuConfig { pages: setup.pages, input: setup.input, endpoints }, iommu)?;
        let device = device.polling(setup.poll);
        let handle = device.handle();
        let island = Island {
            msi: handle.translated_msi(Arc::new(services.clone())),
            handle,
            phys,
            places: setup.endpoints.iter().map(place(setup)).collect(),
            vectors: BTreeMap::new(),
            next: 0,
        };
        Ok((device, island))
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
                let report = report::viommu(&self.handle.report_in(detail), &self.places, slots);
                return Ok((Answer::Report(Box::new(report)), Vec::new()));
            }
            Question::Insert(span, offset) => self.insert(span, offset, fds)?,
            Question::Remove(span) => drop(self.phys.remove(span)),
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
        self.phys.insert(span, Backing::Memory(memory)).map_err(io::Error::other)
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

/// Where an endpoint is.
fn place(setup: &IslandSetup) -> impl Fn(&(Bdf, HostBdf, Option<usize>)) -> Place + '_ {
    |(guest, host, leg)| {
        let leg = leg.and_then(|index| setup.legs.get(index));
        Place { guest: *guest, host: *host, group: leg.map(|leg| leg.group) }
    }
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
