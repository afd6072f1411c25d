//! Translations that a thread remembers. Each holds for one version of the table, and for no other.

use iommu_domain::Mapping;

/// A ring and the buffers of its requests fit; larger ones only cost look-ups.
const ENTRIES: usize = 256;

/// Mappings are at least this long, so neighbours take different places.
const PAGE_BITS: u32 = 12;

/// One place for each of some pages; two pages of one place put each other out.
pub(super) struct Tlb {
    entries: Vec<Option<(u64, Mapping)>>,
}

impl Tlb {
    pub(super) fn new() -> Tlb {
        Tlb { entries: vec![None; ENTRIES] }
    }

    /// The mapping at `iova` in this version of the table; `ask` is asked when it is not remembered.
    pub(super) fn get(
        &mut self,
        version: u64,
        iova: u64,
        ask: impl FnOnce() -> Option<Mapping>,
    ) -> Option<Mapping> {
        let place = (iova >> PAGE_BITS) as usize % ENTRIES;
        match self.entries.get(place) {
            Some(Some((seen, mapping))) if *seen == version && mapping.iova.contains(iova) => Some(*mapping),
            _ => {
                let found = ask()?;
                if let Some(entry) = self.entries.get_mut(place) {
                    *entry = Some((version, found));
                }
                Some(found)
            }
        }
    }
}
