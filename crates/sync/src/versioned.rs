//! A value that readers use in place, and that is taken from them only between two uses.
//!
//! Invariants: [`Versioned::revoke`] returns once no use that began before it goes on, and no later use sees what it took
//! away. What a reader remembers of one use still holds in a later one when both show the same version.
//! A thread has one use at a time: a second one inside the first could wait for a writer that waits for the first.

use crate::{RwLock, RwLockReadGuard};

/// The value, its version, and the lock that keeps uses and changes apart.
#[derive(Debug, Default)]
pub struct Versioned<T> {
    inner: RwLock<Inner<T>>,
}

#[derive(Debug, Default)]
struct Inner<T> {
    version: u64,
    value: T,
}

/// A use: nothing is taken away while it lasts.
pub struct Use<'a, T>(RwLockReadGuard<'a, Inner<T>>);

impl<T> Versioned<T> {
    /// Version 0 of `value`.
    pub fn new(value: T) -> Versioned<T> {
        Versioned { inner: RwLock::new(Inner { version: 0, value }) }
    }

    /// Begins a use.
    pub fn enter(&self) -> Use<'_, T> {
        Use(self.inner.read())
    }

    /// Adds to the value. Nothing that a reader remembers may become wrong by it: the version stays.
    pub fn extend<R>(&self, add: impl FnOnce(&mut T) -> R) -> R {
        add(&mut self.inner.write().value)
    }

    /// Takes something away, after the last use that goes on.
    pub fn revoke<R>(&self, take: impl FnOnce(&mut T) -> R) -> R {
        let mut inner = self.inner.write();
        inner.version = inner.version.wrapping_add(1);
        take(&mut inner.value)
    }
}

impl<T> Use<'_, T> {
    /// The version that this use sees.
    pub fn version(&self) -> u64 {
        self.0.version
    }

    /// The value.
    pub fn value(&self) -> &T {
        &self.0.value
    }
}

#[cfg(test)]
mod tests;
