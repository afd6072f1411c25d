//! Main's link to the island, for what is no register access: reports, device memory, translated interrupts.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;

use base::{EventFd, MappedRegion, Tube, event_from};
use data_model::{Bdf, Span};
use devices::irq::{MsiController, MsiMessage, MsiVector};
use devices::remote::ask_special;
use sync::Mutex;
use vm_control::ViommuReport;

use super::island::{Answer, Question};

/// The way to the island.
#[derive(Clone)]
pub struct IslandLink(Arc<Mutex<Tube>>);

impl IslandLink {
    /// Over the island's function tube.
    pub fn new(tube: Arc<Mutex<Tube>>) -> IslandLink {
        IslandLink(tube)
    }

    fn ask(&self, question: &Question, fds: &[BorrowedFd<'_>]) -> io::Result<(Answer, Vec<OwnedFd>)> {
        let bytes = serde_json::to_vec(question)?;
        let (answer, fds) = ask_special(&self.0, bytes, fds)?;
        match serde_json::from_slice(&answer)? {
            Answer::Failed(0) => Err(io::Error::other("the virtual IOMMU refused")),
            Answer::Failed(errno) => Err(io::Error::from_raw_os_error(errno)),
            answer => Ok((answer, fds)),
        }
    }

    fn tell(&self, question: &Question, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        self.ask(question, fds).map(drop)
    }

    /// What the virtual IOMMU holds: with up to `slots` mappings one by one, and each domain in up to `runs` runs.
    pub fn report(&self, slots: usize, runs: usize) -> io::Result<ViommuReport> {
        match self.ask(&Question::Report { slots, runs }, &[])?.0 {
            Answer::Report(report) => Ok(*report),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    /// Makes device memory a possible target of mappings.
    pub fn insert(&self, span: Span, region: &MappedRegion, offset: u64) -> io::Result<()> {
        let (file, start) = region.source();
        let offset = start.checked_add(offset).ok_or(io::ErrorKind::InvalidInput)?;
        self.tell(&Question::Insert(span, offset), &[file])
    }

    /// Undoes that.
    pub fn remove(&self, span: Span) -> io::Result<()> {
        self.tell(&Question::Remove(span), &[])
    }
}

struct Vector {
    link: IslandLink,
    number: u32,
    event: EventFd,
}

/// Vectors of endpoints: the island translates their messages.
impl MsiController for IslandLink {
    fn vector(&self, requester: Bdf) -> io::Result<Arc<dyn MsiVector>> {
        let (answer, fds) = self.ask(&Question::Vector(requester), &[])?;
        let event = fds.into_iter().next().map(event_from);
        match (answer, event) {
            (Answer::Made(number), Some(event)) => Ok(Arc::new(Vector { link: self.clone(), number, event })),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

impl MsiVector for Vector {
    fn event(&self) -> &EventFd {
        &self.event
    }

    fn route(&self, message: MsiMessage) -> io::Result<()> {
        self.link.tell(&Question::Route(self.number, message), &[])
    }

    fn unroute(&self) -> io::Result<()> {
        self.link.tell(&Question::Unroute(self.number), &[])
    }
}

impl Drop for Vector {
    fn drop(&mut self) {
        // Without the island there is nothing to give back to.
        drop(self.link.tell(&Question::Free(self.number), &[]));
    }
}
