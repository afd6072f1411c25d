//! Locks of the house: no poisoning, one place to exchange them for a model checker's.

pub use parking_lot::{Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
