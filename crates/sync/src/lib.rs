//! Locks of the house: no poisoning, one place to exchange them for a model checker's.

mod versioned;

pub use parking_lot::{Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
pub use versioned::{Use, Versioned};
