//! Interrupt messages of endpoints: where they lead, now and after each change of the translation.
//!
//! A message's address is a DMA address like any other. A vector remembers its message as the guest programmed it and is
//! routed to where that leads; a message that leads nowhere has no route, and its interrupts are lost, as on hardware.
//! Invariants:
//! - before a request is answered, every message whose translation it changed is routed anew or not at all;
//! - lock order: PCI function → state of the device (it owns the messages) → the hypervisor's routes. Nothing that holds
//!   the state takes the lock of a function.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use base::{EventFd, Rarely};
use data_model::{Bdf, Gpa, Span};
use iommu_domain::{Iommu, TranslateFault};
use sync::Mutex;
use virtio_iommu_spec::{Fault, FaultFlags, FaultReason};

use super::Core;
use crate::irq::{MsiController, MsiMessage, MsiVector};

/// A vector with its message.
struct Entry {
    endpoint: u32,
    /// As the guest programmed it; `None` while the vector is off.
    message: Option<MsiMessage>,
    /// Where it is routed to.
    target: Option<u64>,
    vector: Arc<dyn MsiVector>,
}

impl Entry {
    /// Routes to `target`, or to nowhere. On failure there is no route.
    fn lead(&mut self, target: Option<u64>) -> io::Result<()> {
        let wanted = self.message.zip(target);
        self.target = None;
        let Some((message, address)) = wanted else { return self.vector.unroute() };
        if let Err(error) = self.vector.route(MsiMessage { address, ..message }) {
            // The first failure is the one to tell.
            drop(self.vector.unroute());
            return Err(error);
        }
        self.target = Some(address);
        Ok(())
    }
}

/// All messages of all endpoints.
#[derive(Default)]
pub(super) struct Messages {
    entries: BTreeMap<u64, Entry>,
    /// Addresses of programmed messages, each with the number of its entry.
    addresses: BTreeSet<(u64, u64)>,
    next: u64,
    failures: Rarely,
}

impl Messages {
    fn add(&mut self, endpoint: u32, vector: Arc<dyn MsiVector>) -> u64 {
        let number = self.next;
        self.next += 1;
        self.entries.insert(number, Entry { endpoint, message: None, target: None, vector });
        number
    }

    fn remove(&mut self, number: u64) -> Option<Entry> {
        let entry = self.entries.remove(&number)?;
        self.forget(entry.message, number);
        Some(entry)
    }

    fn forget(&mut self, message: Option<MsiMessage>, number: u64) {
        if let Some(message) = message {
            self.addresses.remove(&(message.address, number));
        }
    }

    /// Books a new message, or none; the entry is not routed yet.
    fn program(&mut self, number: u64, message: Option<MsiMessage>) -> Option<&mut Entry> {
        let before = std::mem::replace(&mut self.entries.get_mut(&number)?.message, message);
        self.forget(before, number);
        if let Some(message) = message {
            self.addresses.insert((message.address, number));
        }
        self.entries.get_mut(&number)
    }

    /// Whether `span` is somewhere between the addresses. Nearly every mapping lies elsewhere, and the ends alone tell it so.
    fn may_hit(&self, span: Span) -> bool {
        let ends = self.addresses.first().zip(self.addresses.last());
        ends.is_some_and(|(first, last)| first.0 <= span.last() && span.start() <= last.0)
    }

    /// Numbers of the entries whose messages go to an address in `span`.
    fn inside(&self, span: Span) -> Vec<u64> {
        let inside = self.addresses.range((span.start(), 0)..=(span.last(), u64::MAX));
        inside.map(|(_, number)| *number).collect()
    }

    /// Brings one entry in step with the translation.
    fn follow(&mut self, number: u64, translate: impl Fn(u32, u64) -> Option<u64>) {
        let Some(entry) = self.entries.get_mut(&number) else { return };
        let target = entry.message.and_then(|message| translate(entry.endpoint, message.address));
        if target == entry.target {
            return;
        }
        if let Err(error) = entry.lead(target) {
            // A guest can provoke any number.
            if self.failures.count().is_some() {
                let endpoint = entry.endpoint;
                log::warn!("virtio-iommu: endpoint {endpoint:#x}: a message cannot be routed anew: {error}");
            }
        }
    }
}

/// Where a message of `endpoint` leads.
fn translate(
    iommu: &Iommu,
    doorbells: &BTreeMap<u32, Span>,
    (endpoint, address): (u32, u64),
) -> Result<Gpa, TranslateFault> {
    iommu.translate_msi(endpoint, address, doorbells.get(&endpoint).copied())
}

/// The report of a message that leads nowhere.
fn report((endpoint, address): (u32, u64), fault: TranslateFault) -> Fault {
    let reason = match fault {
        TranslateFault::NoDomain => FaultReason::Domain,
        _ => FaultReason::Mapping,
    };
    Fault { reason, flags: FaultFlags(FaultFlags::WRITE | FaultFlags::ADDRESS), endpoint, address }
}

impl Core {
    /// Routes again what `endpoint` sends: it has another domain, or none.
    pub(super) fn reroute_endpoint(&mut self, endpoint: u32) {
        let of_endpoint = |(number, entry): (&u64, &Entry)| (entry.endpoint == endpoint).then_some(*number);
        let numbers = self.messages.entries.iter().filter_map(of_endpoint).collect();
        self.reroute(numbers);
    }

    /// Routes again what goes to an address in `span`: mappings there came or went.
    pub(super) fn reroute_span(&mut self, span: Span) {
        if self.messages.may_hit(span) {
            self.reroute(self.messages.inside(span));
        }
    }

    /// Routes everything again.
    pub(super) fn reroute_all(&mut self) {
        self.reroute(self.messages.entries.keys().copied().collect());
    }

    fn reroute(&mut self, numbers: Vec<u64>) {
        let Core { messages, iommu, doorbells, .. } = self;
        for number in numbers {
            messages.follow(number, |endpoint, address| {
                translate(iommu, doorbells, (endpoint, address)).ok().map(|gpa| gpa.0)
            });
        }
    }

    /// The guest programs a vector. A message that leads nowhere is no failure of ours: the driver gets a fault.
    fn program(&mut self, number: u64, message: MsiMessage) -> io::Result<()> {
        let Core { messages, iommu, doorbells, sink, .. } = self;
        let Some(entry) = messages.program(number, Some(message)) else { return Ok(()) };
        let write = (entry.endpoint, message.address);
        let target = translate(iommu, doorbells, write);
        let target = target.map_err(|fault| sink.post(report(write, fault)));
        entry.lead(target.ok().map(|gpa| gpa.0))
    }
}

/// Gives out vectors whose messages are translated; the requester is the endpoint.
pub(super) struct TranslatedMsi {
    pub(super) core: Arc<Mutex<Core>>,
    pub(super) inner: Arc<dyn MsiController>,
}

struct TranslatedVector {
    core: Arc<Mutex<Core>>,
    number: u64,
    inner: Arc<dyn MsiVector>,
}

impl MsiController for TranslatedMsi {
    fn vector(&self, requester: Bdf) -> io::Result<Arc<dyn MsiVector>> {
        let inner = self.inner.vector(requester)?;
        let number = self.core.lock().messages.add(requester.id().into(), inner.clone());
        Ok(Arc::new(TranslatedVector { core: self.core.clone(), number, inner }))
    }
}

impl MsiVector for TranslatedVector {
    fn event(&self) -> &EventFd {
        self.inner.event()
    }

    fn route(&self, message: MsiMessage) -> io::Result<()> {
        self.core.lock().program(self.number, message)
    }

    fn unroute(&self) -> io::Result<()> {
        let mut core = self.core.lock();
        core.messages.program(self.number, None).map_or(Ok(()), |entry| entry.lead(None))
    }
}

impl Drop for TranslatedVector {
    fn drop(&mut self) {
        let removed = self.core.lock().messages.remove(self.number);
        drop(removed);
    }
}
