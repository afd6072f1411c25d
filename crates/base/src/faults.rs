//! Names for the system calls of the map path, so that a test can make each of them fail.
//!
//! A product build never arms a plan: [`fault_point`] is then one relaxed load.

use std::cell::RefCell;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A system call that can fail while a guest request is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallId {
    /// `VFIO_IOMMU_MAP_DMA`
    Type1Map,
    /// `VFIO_IOMMU_UNMAP_DMA` of a range
    Type1Unmap,
    /// `VFIO_IOMMU_UNMAP_DMA` with the flag ALL
    Type1UnmapAll,
    /// `IOMMU_IOAS_COPY`
    IoasCopy,
    /// `IOMMU_IOAS_UNMAP`
    IoasUnmap,
    /// `VFIO_DEVICE_ATTACH_IOMMUFD_PT`
    IoasAttach,
    /// `VFIO_DEVICE_RESET`
    DeviceReset,
}

impl CallId {
    /// Every name, for tests that walk them.
    pub const ALL: [CallId; 7] = [
        CallId::Type1Map,
        CallId::Type1Unmap,
        CallId::Type1UnmapAll,
        CallId::IoasCopy,
        CallId::IoasUnmap,
        CallId::IoasAttach,
        CallId::DeviceReset,
    ];
}

/// Plans armed in all threads together; 0 in the product.
static ARMED: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static PLANS: RefCell<Vec<Plan>> = const { RefCell::new(Vec::new()) };
}

struct Plan {
    call: CallId,
    skip: usize,
    times: usize,
    errno: i32,
}

/// A fault armed for this thread until it is dropped.
pub struct FaultPlan {
    /// Its place among those of this thread.
    at: usize,
}

impl FaultPlan {
    /// Lets `skip` calls named `call` pass, then fails `times` of them with `errno`.
    pub fn arm(call: CallId, skip: usize, times: usize, errno: i32) -> FaultPlan {
        let at = PLANS.with_borrow_mut(|plans| {
            plans.push(Plan { call, skip, times, errno });
            plans.len() - 1
        });
        ARMED.fetch_add(1, Ordering::Relaxed);
        FaultPlan { at }
    }

    /// Faults of the plan that have not happened.
    pub fn left(&self) -> usize {
        PLANS.with_borrow(|plans| plans.get(self.at).map_or(0, |plan| plan.times))
    }
}

impl Drop for FaultPlan {
    fn drop(&mut self) {
        ARMED.fetch_sub(1, Ordering::Relaxed);
        PLANS.with_borrow_mut(|plans| plans.pop());
    }
}

/// To be asked before each system call of the map path; fails as the armed plan says.
#[inline]
pub fn fault_point(call: CallId) -> io::Result<()> {
    if ARMED.load(Ordering::Relaxed) == 0 { Ok(()) } else { planned(call) }
}

#[cold]
fn planned(call: CallId) -> io::Result<()> {
    PLANS.with_borrow_mut(|plans| {
        let Some(plan) = plans.iter_mut().find(|plan| plan.call == call && plan.times > 0) else {
            return Ok(());
        };
        if plan.skip > 0 {
            plan.skip -= 1;
            return Ok(());
        }
        plan.times -= 1;
        Err(io::Error::from_raw_os_error(plan.errno))
    })
}
