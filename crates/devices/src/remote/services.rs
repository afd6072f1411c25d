//! Main's services as a device process sees them: the traits of [`crate::irq`] and [`crate::slots`] over a tube.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;

use base::{EventFd, Tube, event_fd, event_from};
use data_model::Bdf;
use sync::Mutex;

use super::message::{ServiceAnswer, ServiceQuestion};
use crate::irq::{IrqLine, MsiController, MsiMessage, MsiVector};
use crate::slots::{DirectMapping, Doorbells, MemoryMapper, SlotId};

/// The way to main; cloned into everything that needs it.
#[derive(Clone)]
pub struct Services(Arc<Mutex<Tube>>);

impl Services {
    /// Over this tube.
    pub fn new(tube: Tube) -> Services {
        Services(Arc::new(Mutex::new(tube)))
    }

    fn ask(&self, question: &ServiceQuestion, fds: &[BorrowedFd<'_>]) -> io::Result<(u32, Vec<OwnedFd>)> {
        let answer = self.0.lock().ask::<_, ServiceAnswer>(question, fds)?;
        match answer.value {
            ServiceAnswer::Done => Ok((0, answer.fds)),
            ServiceAnswer::Made(number) => Ok((number, answer.fds)),
            ServiceAnswer::Failed(0) => Err(io::Error::other("the machine refused")),
            ServiceAnswer::Failed(errno) => Err(io::Error::from_raw_os_error(errno)),
        }
    }

    fn tell(&self, question: &ServiceQuestion, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        self.ask(question, fds).map(drop)
    }
}

impl Services {
    /// Resets the assigned devices of a host group; for the virtual IOMMU.
    pub fn block(&self, group: u32) -> io::Result<()> {
        self.tell(&ServiceQuestion::Block(group), &[])
    }
}

struct Vector {
    services: Services,
    number: u32,
    event: EventFd,
}

impl MsiController for Services {
    fn vector(&self, requester: Bdf) -> io::Result<Arc<dyn MsiVector>> {
        let (number, fds) = self.ask(&ServiceQuestion::Vector(requester), &[])?;
        let event = fds.into_iter().next().map(event_from).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Arc::new(Vector { services: self.clone(), number, event }))
    }
}

impl MsiVector for Vector {
    fn event(&self) -> &EventFd {
        &self.event
    }

    fn route(&self, message: MsiMessage) -> io::Result<()> {
        self.services.tell(&ServiceQuestion::Route(self.number, message), &[])
    }

    fn unroute(&self) -> io::Result<()> {
        self.services.tell(&ServiceQuestion::Unroute(self.number), &[])
    }
}

impl Drop for Vector {
    fn drop(&mut self) {
        // Without main there is nothing to give back to.
        drop(self.services.tell(&ServiceQuestion::Free(self.number), &[]));
    }
}

impl IrqLine for Services {
    fn set(&self, level: bool) -> io::Result<()> {
        self.tell(&ServiceQuestion::Line(level), &[])
    }

    fn bind(&self, trigger: &EventFd, resample: &EventFd) -> io::Result<()> {
        self.tell(&ServiceQuestion::BindLine, &[event_fd(trigger), event_fd(resample)])
    }

    fn unbind(&self, _trigger: &EventFd, _resample: &EventFd) -> io::Result<()> {
        self.tell(&ServiceQuestion::UnbindLine, &[])
    }
}

impl Doorbells for Services {
    fn bind(&self, gpa: u64, event: &EventFd) -> io::Result<()> {
        self.tell(&ServiceQuestion::BindDoorbell(gpa), &[event_fd(event)])
    }

    fn unbind(&self, gpa: u64, _event: &EventFd) -> io::Result<()> {
        self.tell(&ServiceQuestion::UnbindDoorbell(gpa), &[])
    }
}

impl MemoryMapper for Services {
    fn map(&self, mapping: DirectMapping) -> io::Result<SlotId> {
        let (file, start) = mapping.region.source();
        let offset = start.checked_add(mapping.offset).ok_or(io::ErrorKind::InvalidInput)?;
        let (slot, _) = self.ask(&ServiceQuestion::Map { span: mapping.span, offset }, &[file])?;
        Ok(SlotId(slot))
    }

    fn unmap(&self, slot: SlotId) -> io::Result<()> {
        self.tell(&ServiceQuestion::Unmap(slot.0), &[])
    }
}
