//! Which host memory the guest sees where.
//!
//! Invariants: slots never overlap each other or a reserved range; what a slot shows stays mapped in this process until
//! the kernel has let go of the slot (a slot whose removal failed keeps its memory for ever).

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use base::{GuestRam, MappedRegion};
use data_model::Span;
use thiserror::Error;

use crate::ids::IdPool;

/// A memory slot of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SlotId(pub u32);

/// Device memory that the guest shall reach without an exit.
#[derive(Clone, Debug)]
pub struct DeviceMapping {
    /// Guest-physical range, aligned to the host's pages.
    pub span: Span,
    /// The host mapping behind it.
    pub region: Arc<MappedRegion>,
    /// Where in `region` the range starts, in bytes; aligned like `span`.
    pub offset: u64,
    /// Guest writes exit (as MMIO) instead of reaching the memory.
    pub read_only: bool,
}

/// Why memory could not be placed or taken away.
#[derive(Debug, Error)]
pub enum MemoryError {
    /// Something is there already.
    #[error("guest memory {wanted} overlaps {taken}, which is taken by {by}")]
    Overlap {
        /// What was asked for.
        wanted: Span,
        /// What is there.
        taken: Span,
        /// What it is.
        by: &'static str,
    },
    /// KVM works in whole pages.
    #[error(
        "guest memory {span} at host offset {offset:#x} is not aligned to the host's pages of {page} bytes"
    )]
    Unaligned {
        /// What was asked for.
        span: Span,
        /// Offset in the host mapping, in bytes.
        offset: u64,
        /// Page size of the host, in bytes.
        page: u64,
    },
    /// The range reaches past the host mapping.
    #[error(
        "guest memory {span} needs more than the {len:#x} bytes that the host mapping has from offset {offset:#x} on"
    )]
    TooShort {
        /// What was asked for.
        span: Span,
        /// Offset in the host mapping, in bytes.
        offset: u64,
        /// Bytes of the whole host mapping.
        len: u64,
    },
    /// All slots are in use.
    #[error("all {limit} memory slots that KVM offers are in use; assign fewer devices or fewer BARs")]
    NoSlot {
        /// Slots offered.
        limit: u32,
    },
    /// No such slot.
    #[error("memory slot {} is not in use", .0.0)]
    UnknownSlot(SlotId),
    /// KVM refused.
    #[error("KVM_SET_USER_MEMORY_REGION of {span} (slot {slot}, {action}): {source}")]
    Kvm {
        /// Guest-physical range.
        span: Span,
        /// Slot number.
        slot: u32,
        /// `map` or `unmap`.
        action: &'static str,
        /// What the kernel answered.
        source: io::Error,
    },
}

/// Where slots go: KVM, or a recorder in tests.
pub trait MemorySink: Send + Sync {
    /// Makes slot `slot` show `span` from host address `hva` on. The caller keeps the memory mapped until it has cleared the slot.
    fn set(&self, slot: u32, span: Span, hva: u64, read_only: bool) -> io::Result<()>;

    /// Takes the slot, which shows `span`, out.
    fn clear(&self, slot: u32, span: Span) -> io::Result<()>;
}

/// What keeps the memory of a slot mapped.
enum Keeper {
    Ram { _ram: GuestRam },
    Device { _region: Arc<MappedRegion> },
}

struct Slot {
    id: u32,
    span: Span,
    keeper: Keeper,
}

/// The slots of one machine.
pub(crate) struct MemoryMap {
    /// By guest-physical start.
    slots: BTreeMap<u64, Slot>,
    reserved: Vec<(Span, &'static str)>,
    ids: IdPool,
    limit: u32,
    page: u64,
}

impl MemoryMap {
    /// No slot; at most `limit` of them, pages of `page` bytes, nothing ever placed in `reserved`.
    pub(crate) fn new(limit: u32, page: u64, reserved: Vec<(Span, &'static str)>) -> MemoryMap {
        MemoryMap { slots: BTreeMap::new(), reserved, ids: IdPool::new(0, limit), limit, page }
    }

    /// Shows all of `ram` at its own addresses. On failure the regions before the failing one stay.
    pub(crate) fn add_ram(&mut self, sink: &dyn MemorySink, ram: &GuestRam) -> Result<(), MemoryError> {
        for (span, hva) in ram.regions() {
            self.place(sink, span, hva, false, Keeper::Ram { _ram: ram.clone() })?;
        }
        Ok(())
    }

    /// Shows `mapping`.
    pub(crate) fn map(
        &mut self,
        sink: &dyn MemorySink,
        mapping: &DeviceMapping,
    ) -> Result<SlotId, MemoryError> {
        let DeviceMapping { span, region, offset, read_only } = mapping;
        let len = region.len() as u64;
        let fits = Span::from_len(0, len).zip(span.len()).is_some_and(|(whole, bytes)| {
            Span::from_len(*offset, bytes).is_some_and(|part| whole.covers(&part))
        });
        if !fits {
            return Err(MemoryError::TooShort { span: *span, offset: *offset, len });
        }
        if !offset.is_multiple_of(self.page) {
            return Err(MemoryError::Unaligned { span: *span, offset: *offset, page: self.page });
        }
        let hva = region.address() + offset;
        self.place(sink, *span, hva, *read_only, Keeper::Device { _region: region.clone() })
    }

    /// Takes a device mapping out; its host memory may then be unmapped.
    pub(crate) fn unmap(&mut self, sink: &dyn MemorySink, slot: SlotId) -> Result<(), MemoryError> {
        let found = self.slots.values().find(|s| s.id == slot.0 && matches!(s.keeper, Keeper::Device { .. }));
        let Some(Slot { span, .. }) = found else { return Err(MemoryError::UnknownSlot(slot)) };
        let span = *span;
        let refused = |source| MemoryError::Kvm { span, slot: slot.0, action: "unmap", source };
        sink.clear(slot.0, span).map_err(refused)?;
        self.slots.remove(&span.start());
        self.ids.give(slot.0);
        Ok(())
    }

    fn place(
        &mut self,
        sink: &dyn MemorySink,
        span: Span,
        hva: u64,
        read_only: bool,
        keeper: Keeper,
    ) -> Result<SlotId, MemoryError> {
        if !span.is_aligned(self.page) {
            return Err(MemoryError::Unaligned { span, offset: 0, page: self.page });
        }
        if let Some((taken, by)) = self.occupant(&span) {
            return Err(MemoryError::Overlap { wanted: span, taken, by });
        }
        let id = self.ids.take().ok_or(MemoryError::NoSlot { limit: self.limit })?;
        if let Err(source) = sink.set(id, span, hva, read_only) {
            self.ids.give(id);
            return Err(MemoryError::Kvm { span, slot: id, action: "map", source });
        }
        self.slots.insert(span.start(), Slot { id, span, keeper });
        Ok(SlotId(id))
    }

    /// What lies in `span` already.
    fn occupant(&self, span: &Span) -> Option<(Span, &'static str)> {
        let slot = self.slots.range(..=span.last()).next_back().map(|(_, slot)| {
            let by = if matches!(slot.keeper, Keeper::Ram { .. }) { "guest RAM" } else { "device memory" };
            (slot.span, by)
        });
        slot.into_iter().chain(self.reserved.iter().copied()).find(|(taken, _)| taken.overlaps(span))
    }
}

#[cfg(test)]
mod tests;
