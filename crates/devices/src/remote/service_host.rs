//! Main's side of the service tube: what one device process may ask for, and nothing more.
//!
//! Everything a device made is its own, counted against a cap, and taken back when it is gone.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;

use base::{EventFd, MappedRegion, Tube, event_fd, event_from};
use data_model::{Bdf, Span};

use super::bars::Places;
use super::message::{ServiceAnswer, ServiceQuestion};
use crate::irq::{IrqLine, MsiController, MsiVector};
use crate::slots::{DirectMapping, Doorbells, MemoryMapper, SlotId};

/// Vectors of one device: as many as MSI-X can have.
const MOST_VECTORS: usize = 2048;
/// Doorbells of one device: one for each queue.
const MOST_DOORBELLS: usize = 512;
/// Direct mappings of one device.
const MOST_SLOTS: usize = 64;

/// The machine's own services, for one device.
pub struct LocalServices {
    /// Who asks.
    pub requester: Bdf,
    /// For whom it may ask for vectors besides itself: the endpoints, where it is the virtual IOMMU.
    pub on_behalf: Vec<Bdf>,
    /// Gives MSI vectors.
    pub msi: Arc<dyn MsiController>,
    /// Ties doorbells.
    pub doorbells: Arc<dyn Doorbells>,
    /// Shows device memory; `None` for a device that has none to show.
    pub mapper: Option<Arc<dyn MemoryMapper>>,
    /// The device's interrupt line.
    pub line: Option<Arc<dyn IrqLine>>,
    /// Where BARs can lie: doorbells and mappings anywhere else are refused.
    pub bars: Vec<Span>,
    /// Where the device's own BARs lie, and nothing else of it may.
    pub own: Places,
    /// Resets the devices of a host group; for the virtual IOMMU.
    pub block: Option<BlockGroup>,
}

/// Resets the assigned devices of the host group with this number.
pub type BlockGroup = Arc<dyn Fn(u32) -> io::Result<()> + Send + Sync>;

struct Host {
    services: LocalServices,
    vectors: BTreeMap<u32, Arc<dyn MsiVector>>,
    next: u32,
    doorbells: BTreeMap<u64, EventFd>,
    slots: Vec<SlotId>,
    bound: Option<(EventFd, EventFd)>,
}

/// Answers a device until it is gone, then takes back what it had. For a thread of its own.
pub fn serve_services(tube: &Tube, services: LocalServices) -> io::Result<()> {
    let mut host = Host {
        services,
        vectors: BTreeMap::new(),
        next: 0,
        doorbells: BTreeMap::new(),
        slots: Vec::new(),
        bound: None,
    };
    loop {
        let question = match tube.receive::<ServiceQuestion>() {
            Ok(question) => question,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        };
        let (answer, vector) = match host.answer(question.value, question.fds) {
            Ok(made) => made,
            Err(error) => (ServiceAnswer::Failed(error.raw_os_error().unwrap_or(0)), None),
        };
        let fds: Vec<BorrowedFd<'_>> = vector.iter().map(|vector| event_fd(vector.event())).collect();
        match tube.send(&answer, &fds) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            sent => sent?,
        }
    }
}

type Answer = (ServiceAnswer, Option<Arc<dyn MsiVector>>);

impl Host {
    fn answer(&mut self, question: ServiceQuestion, fds: Vec<OwnedFd>) -> io::Result<Answer> {
        match question {
            ServiceQuestion::Vector(requester) => return self.vector(requester),
            ServiceQuestion::Route(number, message) => self.known(number)?.route(message)?,
            ServiceQuestion::Unroute(number) => self.known(number)?.unroute()?,
            ServiceQuestion::Free(number) => drop(self.vectors.remove(&number)),
            ServiceQuestion::BindDoorbell(gpa) => self.bind_doorbell(gpa, fds)?,
            ServiceQuestion::UnbindDoorbell(gpa) => self.unbind_doorbell(gpa)?,
            ServiceQuestion::Map { span, offset } => return self.map(span, offset, fds),
            ServiceQuestion::Unmap(slot) => self.unmap(SlotId(slot))?,
            ServiceQuestion::Line(level) => self.line()?.set(level)?,
            ServiceQuestion::BindLine => self.bind_line(fds)?,
            ServiceQuestion::UnbindLine => self.unbind_line()?,
            ServiceQuestion::Block(group) => match &self.services.block {
                Some(block) => block(group)?,
                None => return Err(io::ErrorKind::PermissionDenied.into()),
            },
        }
        Ok((ServiceAnswer::Done, None))
    }

    fn check_place(&self, span: Option<Span>) -> io::Result<()> {
        let inside = |bars: &Span| span.is_some_and(|span| bars.covers(&span));
        let own = span.is_some_and(|span| self.services.own.with(|bars| bars.cover(&span)));
        if own && self.services.bars.iter().any(inside) {
            Ok(())
        } else {
            Err(io::ErrorKind::PermissionDenied.into())
        }
    }

    fn vector(&mut self, requester: Bdf) -> io::Result<Answer> {
        let LocalServices { requester: own, on_behalf, msi, .. } = &self.services;
        if requester != *own && !on_behalf.contains(&requester) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        check(self.vectors.len(), MOST_VECTORS.saturating_mul(on_behalf.len() + 1))?;
        let vector = msi.vector(requester)?;
        self.next = self.next.wrapping_add(1);
        self.vectors.insert(self.next, vector.clone());
        Ok((ServiceAnswer::Made(self.next), Some(vector)))
    }

    fn known(&self, number: u32) -> io::Result<&Arc<dyn MsiVector>> {
        self.vectors.get(&number).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn bind_doorbell(&mut self, gpa: u64, fds: Vec<OwnedFd>) -> io::Result<()> {
        check(self.doorbells.len(), MOST_DOORBELLS)?;
        self.check_place(Span::from_len(gpa, 1))?;
        let [event] = take(fds)?;
        let event = event_from(event);
        self.services.doorbells.bind(gpa, &event)?;
        self.doorbells.insert(gpa, event);
        Ok(())
    }

    fn unbind_doorbell(&mut self, gpa: u64) -> io::Result<()> {
        let event = self.doorbells.remove(&gpa).ok_or(io::ErrorKind::NotFound)?;
        self.services.doorbells.unbind(gpa, &event)
    }

    fn map(&mut self, span: Span, offset: u64, fds: Vec<OwnedFd>) -> io::Result<Answer> {
        check(self.slots.len(), MOST_SLOTS)?;
        self.check_place(Some(span))?;
        let mapper = self.services.mapper.as_ref().ok_or(io::ErrorKind::PermissionDenied)?;
        let [file] = take(fds)?;
        let len = span.len().and_then(|len| usize::try_from(len).ok()).ok_or(io::ErrorKind::InvalidInput)?;
        let region = Arc::new(MappedRegion::new(&file, offset, len, true)?);
        let slot = mapper.map(DirectMapping { span, region, offset: 0 })?;
        self.slots.push(slot);
        Ok((ServiceAnswer::Made(slot.0), None))
    }

    fn unmap(&mut self, slot: SlotId) -> io::Result<()> {
        let at = self.slots.iter().position(|known| *known == slot).ok_or(io::ErrorKind::NotFound)?;
        let mapper = self.services.mapper.as_ref().ok_or(io::ErrorKind::PermissionDenied)?;
        mapper.unmap(slot)?;
        self.slots.swap_remove(at);
        Ok(())
    }

    fn line(&self) -> io::Result<&Arc<dyn IrqLine>> {
        self.services.line.as_ref().ok_or_else(|| io::ErrorKind::PermissionDenied.into())
    }

    fn bind_line(&mut self, fds: Vec<OwnedFd>) -> io::Result<()> {
        if self.bound.is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let [trigger, resample] = take(fds)?;
        let events = (event_from(trigger), event_from(resample));
        self.line()?.bind(&events.0, &events.1)?;
        self.bound = Some(events);
        Ok(())
    }

    fn unbind_line(&mut self) -> io::Result<()> {
        let (trigger, resample) = self.bound.take().ok_or(io::ErrorKind::NotFound)?;
        self.line()?.unbind(&trigger, &resample)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let slots: Vec<_> = self.slots.drain(..).collect();
        let doorbells: Vec<_> = std::mem::take(&mut self.doorbells).into_iter().collect();
        let mut outcomes = Vec::new();
        if let Some(mapper) = &self.services.mapper {
            outcomes.extend(slots.into_iter().map(|slot| mapper.unmap(slot)));
        }
        outcomes
            .extend(doorbells.into_iter().map(|(gpa, event)| self.services.doorbells.unbind(gpa, &event)));
        if self.bound.is_some() {
            outcomes.push(self.unbind_line());
        }
        for error in outcomes.into_iter().filter_map(Result::err) {
            log::warn!("{}: cannot take back what the device had: {error}", self.services.requester);
        }
    }
}

fn check(have: usize, most: usize) -> io::Result<()> {
    if have < most { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::ENOSPC)) }
}

/// Exactly the descriptors that a question needs.
fn take<const N: usize>(fds: Vec<OwnedFd>) -> io::Result<[OwnedFd; N]> {
    fds.try_into().map_err(|_| io::ErrorKind::InvalidInput.into())
}
