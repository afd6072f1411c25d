//! The table of doorbells that the domains of one iommufd share, so that a device keeps its interrupt address when it
//! changes domains.

use std::sync::Arc;

use sync::Mutex;

/// Doorbells of a context at most: one bit of a 64-bit map each.
pub const CONTEXT_DOORBELLS: usize = 64;

#[derive(Clone, Copy)]
struct Entry {
    window: u64,
    phys: u64,
    index: u64,
}

/// The table; clones are the same table.
#[derive(Clone, Default)]
pub struct IommufdContext(Arc<Mutex<Vec<Entry>>>);

impl IommufdContext {
    /// An empty table.
    pub fn new() -> IommufdContext {
        IommufdContext::default()
    }

    /// Doorbells in the table.
    pub fn len(&self) -> usize {
        self.0.lock().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }

    /// Whether both are the same table.
    pub(super) fn is(&self, other: &IommufdContext) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The index of a doorbell's page in the window that starts at `window`. A new one is kept only when `accept` says
    /// yes to its index. `None` when the table is full.
    pub(super) fn index<E>(
        &self,
        window: u64,
        phys: u64,
        accept: impl FnOnce(u64) -> Result<u64, E>,
    ) -> Option<Result<u64, E>> {
        let mut table = self.0.lock();
        let here = || table.iter().filter(|entry| entry.window == window);
        if let Some(entry) = here().find(|entry| entry.phys == phys) {
            return Some(accept(entry.index));
        }
        if table.len() >= CONTEXT_DOORBELLS {
            return None;
        }
        let index = here().map(|entry| entry.index + 1).max().unwrap_or(0);
        let accepted = accept(index);
        if accepted.is_ok() {
            table.push(Entry { window, phys, index });
        }
        Some(accepted)
    }
}
