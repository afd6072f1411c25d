//! The device's state: what a request can see and change.

use std::collections::BTreeMap;
use std::sync::Arc;

use data_model::Span;
use iommu_domain::Iommu;
use virtio_iommu_spec::{
    DecodeError, Properties, PropertyOverflow, Request, RequestKind, Status, TAIL_SIZE, decode, tail,
};

use base::Rarely;

use super::chain::Chain;
use super::counters::RequestCounters;
use super::events::FaultSink;
use super::handle::Reply;
use super::msi::Messages;
use super::ram::Ram;

/// State behind the request queue and the configuration space.
pub(super) struct Core {
    pub(super) iommu: Iommu,
    /// Page sizes that the guest sees, as a mask.
    pub(super) page_size_mask: u64,
    /// Bytes of an answer to PROBE.
    pub(super) probe_size: usize,
    /// Encoded answers to PROBE, each `probe_size` bytes.
    pub(super) properties: BTreeMap<u32, Result<Vec<u8>, PropertyOverflow>>,
    /// Where messages need no mapping, by endpoint.
    pub(super) doorbells: BTreeMap<u32, Span>,
    /// Interrupt messages of the endpoints.
    pub(super) messages: Messages,
    /// Features that the driver accepted; 0 before.
    pub(super) features: u64,
    pub(super) counters: RequestCounters,
    pub(super) host_failures: Rarely,
    /// Rings that made no sense, of this driver and of those before it.
    pub(super) broken_rings: Rarely,
    /// Requests that would have locked more memory than a device's share.
    pub(super) used_up: Rarely,
    pub(super) sink: Arc<FaultSink>,
}

impl Core {
    /// Tells the log of a ring that makes no sense. A driver can reset the device and give another one, again and again.
    #[cold]
    pub(super) fn ring_is_broken(&mut self, what: &str) {
        if let Some(count) = self.broken_rings.count() {
            log::warn!("virtio-iommu: {what}; the device needs a reset (broken ring {count})");
        }
    }

    /// Answers the request in `chain`; the length to report as used.
    pub(super) fn answer(&mut self, chain: &Chain, ram: &Ram) -> u32 {
        let used = chain.request().and_then(|bytes| self.try_answer(bytes, chain, ram));
        used.unwrap_or_else(|| {
            self.counters.unanswered += 1;
            0
        })
    }

    /// `None` when the chain is no request or has no room for its answer: it stays unwritten (G2, G5, P3).
    fn try_answer(&mut self, bytes: &[u8], chain: &Chain, ram: &Ram) -> Option<u32> {
        let request = match decode(bytes) {
            Ok(request) => request,
            Err(DecodeError::Short | DecodeError::UnknownType(_)) => return None,
        };
        let properties = match request {
            Request::Probe { .. } if self.features & virtio_iommu_spec::Features::PROBE == 0 => return None, // P3
            Request::Probe { .. } => self.probe_size,
            _ => 0,
        };
        let len = properties.checked_add(TAIL_SIZE)?;
        if !chain.has_room(len, ram) {
            return None;
        }
        let status = self.carry_out(&request, properties, chain, ram)?;
        self.counters.count(request.kind(), status);
        chain.write(properties, &tail(status), ram).then_some(u32::try_from(len).ok()?)
    }

    /// Carries the request out and writes what comes before the tail.
    fn carry_out(&mut self, request: &Request, room: usize, chain: &Chain, ram: &Ram) -> Option<Status> {
        let outcome = self.handle(request);
        if request.kind() != RequestKind::Probe {
            return Some(outcome.map_or_else(|status| status, |_| Status::Ok));
        }
        let properties = match outcome {
            Ok(Reply::Properties(endpoint)) => self.properties.get(&endpoint),
            _ => None,
        };
        let (status, written) = match (outcome, properties) {
            (Ok(_), Some(Ok(bytes))) => (Status::Ok, chain.write(0, bytes, ram)),
            // P7, and T1: also a failure fills the whole buffer, or its used length would promise too much.
            (Ok(_), _) => (Status::Inval, write_zeros(room, chain, ram)),
            (Err(status), _) => (status, write_zeros(room, chain, ram)),
        };
        written.then_some(status)
    }

    /// Encodes the properties of an endpoint into `size` bytes.
    pub(super) fn encode(
        regions: &[virtio_iommu_spec::ResvMem],
        size: usize,
    ) -> Result<Vec<u8>, PropertyOverflow> {
        let mut bytes = vec![0; size];
        Properties::encode(regions, &mut bytes).map(|()| bytes)
    }
}

fn write_zeros(len: usize, chain: &Chain, ram: &Ram) -> bool {
    const ZEROS: [u8; 256] = [0; 256];
    let mut at = 0;
    while at < len {
        let part = ZEROS.len().min(len - at);
        if !chain.write(at, &ZEROS[..part], ram) {
            return false;
        }
        at += part;
    }
    true
}
