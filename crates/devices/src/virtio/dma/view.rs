//! Guest RAM through the eyes of one endpoint.

use std::cell::RefCell;
use std::sync::Arc;

use base::GuestMem;
use data_model::Span;
use iommu_domain::{Perm, SoftTable, SoftUse};
use vm_memory::GuestAddress;
use vm_memory::guest_memory::{Error, Result};

use super::DmaFaults;
use super::slices::{Piece, Slices};
use super::tlb::Tlb;

/// Translates the accesses of one endpoint, for one thread.
pub struct DmaView {
    table: Arc<SoftTable>,
    faults: Arc<dyn DmaFaults>,
    tlb: RefCell<Tlb>,
}

impl Clone for DmaView {
    fn clone(&self) -> DmaView {
        DmaView::new(self.table.clone(), self.faults.clone())
    }
}

impl DmaView {
    /// Translates by `table`, and tells `faults` of what does not translate.
    pub fn new(table: Arc<SoftTable>, faults: Arc<dyn DmaFaults>) -> DmaView {
        DmaView { table, faults, tlb: RefCell::new(Tlb::new()) }
    }

    /// The pieces behind `count` bytes at `address`, all of them or none.
    pub(super) fn slices<'a>(
        &'a self,
        ram: &'a GuestMem,
        address: u64,
        count: usize,
        need: Perm,
    ) -> Result<Slices<'a>> {
        let Some(span) = Span::from_len(address, count as u64) else {
            // Nothing at all, or beyond the last address.
            return if count == 0 { Ok(Slices::direct(ram, 0, 0)) } else { self.refuse(address, need) };
        };
        let in_use = self.table.enter();
        match self.translate(&in_use, span, need) {
            Ok((first, rest)) => Ok(Slices::translated(in_use, ram, first, rest)),
            Err(at) => {
                drop(in_use);
                self.refuse(at, need)
            }
        }
    }

    /// Whether all of it translates.
    pub(super) fn reaches(&self, address: u64, count: usize, need: Perm) -> bool {
        let span = Span::from_len(address, count as u64);
        span.map_or(count == 0, |span| self.translate(&self.table.enter(), span, need).is_ok())
    }

    #[cold]
    fn refuse<T>(&self, address: u64, need: Perm) -> Result<T> {
        self.faults.fault(address, need);
        Err(Error::InvalidGuestAddress(GuestAddress(address)))
    }

    /// The pieces behind `span`, or the first address that leads nowhere.
    fn translate(
        &self,
        in_use: &SoftUse<'_>,
        span: Span,
        need: Perm,
    ) -> std::result::Result<(Piece, Vec<Piece>), u64> {
        let mut tlb = self.tlb.borrow_mut();
        let version = in_use.version();
        let mut piece = |at: u64| -> std::result::Result<(Piece, u64), u64> {
            let mapping = tlb.get(version, at, || in_use.get(at)).filter(|found| found.perm.allows(need));
            let mapping = mapping.ok_or(at)?;
            let last = mapping.iova.last().min(span.last());
            // A mapping's target is guest RAM in full, so neither sum overflows.
            let physical = mapping.phys + (at - mapping.iova.start());
            Ok(((physical, (last - at) as usize + 1), last))
        };
        let (first, mut last) = piece(span.start())?;
        let mut rest = Vec::new();
        while last < span.last() {
            let (next, end) = piece(last + 1)?;
            rest.push(next);
            last = end;
        }
        Ok((first, rest))
    }
}
