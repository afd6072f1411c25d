//! What each request means: the device's state machine, without queue or memory.
//!
//! Guest mistakes are answers, named after the rows of the conformance table; host failures are logged and reported on
//! the event queue as well, because Linux looks at the status of few requests.

use data_model::Span;
use iommu_domain::{HostFailure, Mapping, Perm, Refusal};
use virtio_iommu_spec::{ATTACH_F_BYPASS, Features, MAP_F_MMIO, MAP_F_READ, MAP_F_WRITE, Request, Status};

use super::Core;

/// The answer to a request that was carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// Nothing but the status.
    Done,
    /// The properties of this endpoint, then the status.
    Properties(u32),
}

impl Core {
    /// Carries out a request; the error is the status to answer with.
    pub(super) fn handle(&mut self, request: &Request) -> Result<Reply, Status> {
        match *request {
            Request::Attach { domain, endpoint, flags, reserved } => {
                self.attach(domain, endpoint, flags, reserved)
            }
            Request::Detach { domain, endpoint } => self.detach(domain, endpoint),
            Request::Map { .. } => self.map(request),
            Request::Unmap { domain, virt_start, virt_end, reserved } => {
                self.unmap(domain, (virt_start, virt_end), reserved)
            }
            Request::Probe { endpoint } => self.probe(endpoint),
        }
    }

    fn attach(&mut self, domain: u32, endpoint: u32, flags: u32, reserved: u32) -> Result<Reply, Status> {
        let known = if self.has(Features::BYPASS_CONFIG) { ATTACH_F_BYPASS } else { 0 };
        if reserved != 0 || flags & !known != 0 {
            return Err(Status::Inval); // A1, A2
        }
        let outcome = self.iommu.attach(endpoint, domain, flags & ATTACH_F_BYPASS != 0);
        self.reroute_endpoint(endpoint);
        self.conclude(outcome)
    }

    fn detach(&mut self, domain: u32, endpoint: u32) -> Result<Reply, Status> {
        let outcome = self.iommu.detach(endpoint, domain); // D1: reserved is not even decoded
        self.reroute_endpoint(endpoint);
        self.conclude(outcome)
    }

    fn map(&mut self, request: &Request) -> Result<Reply, Status> {
        let Request::Map { domain, virt_start, virt_end, phys_start, flags } = *request else {
            return Err(Status::DevErr);
        };
        if !self.has(Features::MAP_UNMAP) {
            return Err(Status::Unsupp); // F4
        }
        let mmio = if self.has(Features::MMIO) { MAP_F_MMIO } else { 0 };
        if flags & !(MAP_F_READ | MAP_F_WRITE | mmio) != 0 {
            return Err(Status::Inval); // M3
        }
        let iova = Span::new(virt_start, virt_end).ok_or(Status::Range)?; // M9
        let perm = Perm { read: flags & MAP_F_READ != 0, write: flags & MAP_F_WRITE != 0 }; // M6
        let outcome = self.iommu.map(domain, Mapping { iova, phys: phys_start, perm });
        self.reroute_span(iova);
        self.conclude(outcome)
    }

    fn unmap(&mut self, domain: u32, ends: (u64, u64), reserved: u32) -> Result<Reply, Status> {
        if !self.has(Features::MAP_UNMAP) {
            return Err(Status::Unsupp); // F4
        }
        if reserved != 0 {
            return Err(Status::Inval); // U1
        }
        let span = Span::new(ends.0, ends.1).ok_or(Status::Range)?;
        let outcome = self.iommu.unmap(domain, span);
        self.reroute_span(span);
        self.conclude(outcome)
    }

    fn probe(&mut self, endpoint: u32) -> Result<Reply, Status> {
        match self.iommu.has_endpoint(endpoint) {
            true => Ok(Reply::Properties(endpoint)),
            false => Err(Status::NoEnt), // P2
        }
    }

    fn has(&self, feature: u64) -> bool {
        self.features & feature != 0
    }

    fn conclude(&mut self, outcome: Result<(), Refusal>) -> Result<Reply, Status> {
        outcome.map(|()| Reply::Done).map_err(|refusal| self.refused(&refusal))
    }

    /// The status for a refusal, told to whom it concerns.
    #[cold]
    fn refused(&mut self, refusal: &Refusal) -> Status {
        match refusal {
            Refusal::Host(failure) => self.host_failed(failure),
            Refusal::Locked { .. } => self.share_used_up(refusal),
            _ => {}
        }
        status(refusal)
    }

    /// The guest's kernel does not look at the status of a MAP: who runs the machine hears of it.
    #[cold]
    fn share_used_up(&mut self, refusal: &Refusal) {
        if let Some(count) = self.used_up.count() {
            log::warn!(
                "virtio-iommu: {refusal}; a higher limit on locked memory is a larger share (refusal {count} of this kind)"
            );
        }
    }

    /// Makes a failure of the host heard: on the log, and to the guest by an event for each endpoint.
    #[cold]
    pub(super) fn host_failed(&mut self, failure: &HostFailure) {
        // A guest can repeat a request that fails for ever.
        if let Some(count) = self.host_failures.count() {
            log::error!("virtio-iommu: {failure} (failure {count} of this kind)");
        }
        for endpoint in &failure.endpoints {
            self.sink.host_failure(*endpoint);
        }
    }
}

/// The status for a refusal.
fn status(refusal: &Refusal) -> Status {
    match refusal {
        Refusal::NoEndpoint(_) | Refusal::NoDomain(_) => Status::NoEnt, // A3, D2, M4, U2
        Refusal::NotInDomain { .. } => Status::Inval,                   // D3
        Refusal::BypassMismatch(_) | Refusal::BypassDomain(_) => Status::Inval, // A5, M5, U3
        Refusal::GroupElsewhere { .. } | Refusal::Incompatible { .. } | Refusal::NoBypass => Status::Unsupp, // A4, A7
        Refusal::OutOfRange { .. } | Refusal::Misaligned { .. } | Refusal::Split { .. } => Status::Range, // G8, M1, U4
        Refusal::Reserved { .. } | Refusal::Overlap { .. } => Status::Inval, // M8, M2
        Refusal::NotMemory { .. } => Status::Fault,                          // M11
        Refusal::TooMany { .. } | Refusal::Locked { .. } => Status::NoMem,
        Refusal::Host(failure) if failure.is_exhausted() => Status::NoMem,
        Refusal::Host(_) => Status::DevErr,
    }
}
