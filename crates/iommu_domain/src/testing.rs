//! A VFIO container that exists only in memory and answers as the kernel does, faults on demand.
//!
//! Built into a [`Type1Leg`](crate::Type1Leg) it makes the leg that tests, fuzzers and benchmarks stand on. Faults are
//! armed with [`base::FaultPlan`].

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use base::{CallId, HostSlice, fault_point};
use data_model::Span;
use sync::Mutex;

use crate::{DmaHost, Perm, Type1Leg};

/// What the kernel would check against.
#[derive(Clone, Debug)]
pub struct FakeLimits {
    /// Smallest page in bytes.
    pub granule: u64,
    /// Ranges that may be mapped: the aperture without the reserved regions.
    pub allowed: Vec<Span>,
    /// Mappings at most (65,535 in the kernel).
    pub entries: u32,
}

/// A mapping as the kernel holds it: host address and permission.
pub type FakeMapping = (Span, u64, Perm);

#[derive(Default)]
struct State {
    entries: BTreeMap<u64, (Span, u64, Perm)>,
    resets: u32,
    calls: u64,
}

/// The container; clones share one state, so a test keeps one to look inside.
#[derive(Clone)]
pub struct FakeHost {
    limits: Arc<FakeLimits>,
    state: Arc<Mutex<State>>,
}

/// A leg that behaves like the kernel.
pub type FakeLeg = Type1Leg<FakeHost>;

impl FakeHost {
    /// An empty container.
    pub fn new(limits: FakeLimits) -> FakeHost {
        FakeHost { limits: Arc::new(limits), state: Arc::default() }
    }

    /// A leg over this container.
    pub fn leg(&self, name: &str) -> FakeLeg {
        Type1Leg::new(name.to_owned(), self.clone())
    }

    /// What is mapped, by rising IOVA.
    pub fn mappings(&self) -> Vec<FakeMapping> {
        self.state.lock().entries.values().copied().collect()
    }

    /// Whether exactly `expected` is mapped, given by rising IOVA.
    pub fn matches(&self, expected: impl Iterator<Item = FakeMapping>) -> bool {
        self.state.lock().entries.values().copied().eq(expected)
    }

    /// How often the devices were reset.
    pub fn resets(&self) -> u32 {
        self.state.lock().resets
    }

    /// Calls that change something, failed ones included.
    pub fn calls(&self) -> u64 {
        self.state.lock().calls
    }
}

/// The kernel's answers that the fake gives, by number.
#[derive(Clone, Copy)]
enum Errno {
    Exist = 17,
    Inval = 22,
    NoSpace = 28,
}

fn errno(code: Errno) -> io::Error {
    io::Error::from_raw_os_error(code as i32)
}

impl DmaHost for FakeHost {
    /// In the kernel's order: alignment, overlap, entries, aperture.
    fn map(&self, iova: Span, memory: HostSlice<'_>, perm: Perm) -> io::Result<()> {
        let mut state = self.state.lock();
        state.calls += 1;
        fault_point(CallId::Type1Map)?;
        let granule = self.limits.granule;
        let aligned = iova.is_aligned(granule) && memory.address().is_multiple_of(granule);
        if !aligned || iova.len() != Some(memory.len()) || perm == Perm::NONE {
            return Err(errno(Errno::Inval));
        }
        let below = state.entries.range(..=iova.last()).next_back();
        if below.is_some_and(|(_, (there, ..))| there.overlaps(&iova)) {
            return Err(errno(Errno::Exist));
        }
        if state.entries.len() as u64 >= u64::from(self.limits.entries) {
            return Err(errno(Errno::NoSpace));
        }
        if !self.limits.allowed.iter().any(|range| range.covers(&iova)) {
            return Err(errno(Errno::Inval));
        }
        state.entries.insert(iova.start(), (iova, memory.address(), perm));
        Ok(())
    }

    fn unmap(&self, iova: Span) -> io::Result<u64> {
        let mut state = self.state.lock();
        state.calls += 1;
        fault_point(CallId::Type1Unmap)?;
        let split = |at: u64| {
            let below = state.entries.range(..=at).next_back();
            below.is_some_and(|(_, (there, ..))| there.contains(at) && !iova.covers(there))
        };
        if !iova.is_aligned(self.limits.granule) || split(iova.start()) || split(iova.last()) {
            return Err(errno(Errno::Inval));
        }
        let gone = state.entries.extract_if(iova.start()..=iova.last(), |_, _| true);
        Ok(gone.fold(0, |sum, (_, (span, ..))| sum.saturating_add(span.len().unwrap_or(u64::MAX))))
    }

    fn unmap_all(&self) -> io::Result<u64> {
        let mut state = self.state.lock();
        state.calls += 1;
        fault_point(CallId::Type1UnmapAll)?;
        let bytes = state
            .entries
            .values()
            .fold(0u64, |sum, (span, ..)| sum.saturating_add(span.len().unwrap_or(u64::MAX)));
        state.entries.clear();
        Ok(bytes)
    }

    fn available(&self) -> Option<u32> {
        Some(self.limits.entries.saturating_sub(self.state.lock().entries.len() as u32))
    }

    fn reset_devices(&self) -> io::Result<()> {
        let mut state = self.state.lock();
        state.resets += 1;
        fault_point(CallId::DeviceReset)
    }
}
