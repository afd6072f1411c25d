//! A domain for several threads: one lock, and a generation that can be read without it.

use std::sync::Arc;

use sync::Mutex;
use sync::atomic::{AtomicU64, Ordering};

use super::{DeviceId, Errno, Failure, MixedDomain, Reason};

struct Inner {
    domain: Mutex<MixedDomain>,
    generation: AtomicU64,
}

/// A domain for several threads; clones are the same domain.
#[derive(Clone)]
pub struct SharedDomain(Arc<Inner>);

impl SharedDomain {
    /// Puts a domain behind a lock.
    pub fn new(domain: MixedDomain) -> SharedDomain {
        let generation = AtomicU64::new(domain.generation());
        SharedDomain(Arc::new(Inner { domain: Mutex::new(domain), generation }))
    }

    /// Does something with the domain, alone; returns the outcome and the generation it left. Must not be called from within.
    pub fn with<R>(&self, act: impl FnOnce(&mut MixedDomain) -> R) -> (R, u64) {
        let mut domain = self.0.domain.lock();
        let outcome = act(&mut domain);
        self.0.generation.store(domain.generation(), Ordering::Release);
        (outcome, domain.generation())
    }

    /// The generation of the last change that is complete. A replica that has seen it has seen the domain.
    pub fn generation(&self) -> u64 {
        self.0.generation.load(Ordering::Acquire)
    }

    /// Whether this domain is the first to be locked of the two.
    fn locks_before(&self, other: &SharedDomain) -> bool {
        Arc::as_ptr(&self.0) < Arc::as_ptr(&other.0)
    }

    /// [`MixedDomain::fork_into`] between shared domains; locks in one order, whoever asks. EINVAL into itself.
    pub fn fork_into(&self, id: DeviceId, other: &SharedDomain) -> Result<(), Failure> {
        if Arc::ptr_eq(&self.0, &other.0) {
            return Err(Failure::new(Errno::Inval, Reason::Attached(id)));
        }
        let (mut first, mut second);
        let (from, to) = if self.locks_before(other) {
            first = self.0.domain.lock();
            second = other.0.domain.lock();
            (&mut first, &mut second)
        } else {
            second = other.0.domain.lock();
            first = self.0.domain.lock();
            (&mut first, &mut second)
        };
        let moved = from.fork_into(id, to);
        self.0.generation.store(from.generation(), Ordering::Release);
        other.0.generation.store(to.generation(), Ordering::Release);
        moved
    }
}
