//! Locks of the house: no poisoning, one place to exchange them for a checker's (`--cfg loom`, miri).

#[cfg(any(loom, miri))]
mod checked;
mod versioned;

#[cfg(any(loom, miri))]
pub use checked::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
#[cfg(not(any(loom, miri)))]
pub use parking_lot::{Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
pub use versioned::{Use, Versioned};

/// Atomic numbers for what a model checker is to see.
pub mod atomic {
    #[cfg(loom)]
    pub use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    #[cfg(not(loom))]
    pub use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
}
