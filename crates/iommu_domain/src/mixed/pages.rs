//! Doorbell pages: where the domain mapped the registers that interrupts are written to, and for whom.

use std::collections::{BTreeMap, BTreeSet};

use data_model::Span;

use super::DeviceId;

/// A page that leads to a doorbell.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MsiPage {
    /// Physical address of the doorbell's page.
    pub phys: u64,
    /// Devices that prepared it and are still attached.
    pub users: BTreeSet<DeviceId>,
    /// It stays when nobody uses it, as in all kernels.
    pub sticky: bool,
}

/// The pages of a domain, by rising IOVA; several may lead to one doorbell when devices reach different addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Pages {
    pages: BTreeMap<u64, MsiPage>,
    by_phys: BTreeMap<u64, BTreeSet<u64>>,
}

/// The addresses of a page of `size` bytes.
pub(super) fn page_span(iova: u64, size: u64) -> Span {
    Span::from_len(iova, size).unwrap_or(Span::ALL)
}

impl Pages {
    /// How many.
    pub fn len(&self) -> usize {
        self.pages.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// The page that starts at `iova`.
    pub fn get(&self, iova: u64) -> Option<&MsiPage> {
        self.pages.get(&iova)
    }

    /// The highest page of `size` bytes that shares an address with `span`, and where it starts.
    pub fn overlapping(&self, span: Span, size: u64) -> Option<(u64, &MsiPage)> {
        let (iova, page) = self.pages.range(..=span.last()).next_back()?;
        page_span(*iova, size).overlaps(&span).then_some((*iova, page))
    }

    /// Where the pages of a doorbell are, by falling IOVA.
    pub fn of(&self, phys: u64) -> impl Iterator<Item = u64> {
        self.by_phys.get(&phys).into_iter().flat_map(|iovas| iovas.iter().rev().copied())
    }

    /// Where the page is that the device prepared for a doorbell.
    pub fn prepared(&self, device: DeviceId, phys: u64) -> Option<u64> {
        self.of(phys).find(|iova| self.get(*iova).is_some_and(|page| page.users.contains(&device)))
    }

    /// The highest page's address.
    pub(super) fn highest(&self) -> Option<u64> {
        self.pages.last_key_value().map(|(iova, _)| *iova)
    }

    /// Makes the device a user of the page at `iova`, which is made when it is not there.
    pub(super) fn join(&mut self, iova: u64, phys: u64, device: DeviceId, sticky: bool) {
        let fresh = || MsiPage { phys, users: BTreeSet::new(), sticky };
        self.pages.entry(iova).or_insert_with(fresh).users.insert(device);
        self.by_phys.entry(phys).or_default().insert(iova);
    }

    /// Ends the device's use of the page at `iova`; the page goes when that was its last and it does not stay.
    pub(super) fn leave(&mut self, iova: u64, device: DeviceId) {
        let Some(page) = self.pages.get_mut(&iova) else { return };
        page.users.remove(&device);
        if page.sticky || !page.users.is_empty() {
            return;
        }
        let phys = page.phys;
        self.pages.remove(&iova);
        if let Some(iovas) = self.by_phys.get_mut(&phys) {
            iovas.remove(&iova);
            if iovas.is_empty() {
                self.by_phys.remove(&phys);
            }
        }
    }

    /// The pages that a device uses: IOVA and doorbell page.
    pub fn used_by(&self, device: DeviceId) -> impl Iterator<Item = (u64, u64)> {
        self.iter()
            .filter(move |(_, page)| page.users.contains(&device))
            .map(|(iova, page)| (iova, page.phys))
    }

    /// All of them, by rising IOVA.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &MsiPage)> {
        self.pages.iter().map(|(iova, page)| (*iova, page))
    }
}
