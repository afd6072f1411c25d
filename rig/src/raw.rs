//! The kernel's side of a comparison: the product's own calls, and for what those cannot say, the same calls in raw
//! numbers.

use std::io;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use base::HostMemory;
use iommu_domain::mixed::model::{HostTrace, TraceOp, Traced};
use iommu_domain::mixed::{Errno, MapRequest};
use iommu_domain::{Perm, VfioHost};
use vfio::{Container, DmaPerm, NOWHERE, RawMap};

/// Sizes of the two kernel structures.
const MAP_SIZE: u32 = 32;
const UNMAP_SIZE: u32 = 24;

/// A container that can be asked everything.
pub struct KernelTrace {
    ours: HostTrace<VfioHost>,
    container: Arc<Container>,
    memory: HostMemory,
}

impl KernelTrace {
    /// The container must be empty, and nobody else may use it meanwhile.
    pub fn new(container: Arc<Container>, memory: HostMemory) -> KernelTrace {
        let host = VfioHost::new(container.clone(), Box::new(|| Ok(())));
        KernelTrace { ours: HostTrace::new(host, memory.clone()), container, memory }
    }

    /// Offsets into the memory become addresses; those past it are addresses already.
    fn raw(&self, request: &MapRequest) -> Option<RawMap> {
        let offset = request.target.start();
        let start = self.memory.slice(0, 1).map(|slice| slice.address())?;
        let vaddr = if NOWHERE.contains(&offset) { offset } else { start.checked_add(offset)? };
        RawMap::new(&self.memory, vaddr, request.len)
    }

    fn map(&self, request: &MapRequest, argsz: u32) -> io::Result<()> {
        let map = self.raw(request).ok_or(io::ErrorKind::InvalidInput)?;
        let Perm { read, write } = request.perm;
        self.container.map_raw(request.iova, map, DmaPerm { read, write }, request.flags, argsz)
    }

    /// What is said of the argument's own size: less than the structure is EINVAL, more is fine. The container is as it
    /// was afterwards.
    pub fn check_sizes(&self, page: &MapRequest) -> Result<()> {
        let inval = |answer: io::Result<u64>| answer.map_err(|error| error.raw_os_error());
        let mut asked = 0;
        for (argsz, good) in
            [(0, false), (8, false), (MAP_SIZE - 1, false), (MAP_SIZE, true), (u32::MAX, true)]
        {
            let answer = inval(self.map(page, argsz).map(|()| 0));
            let expected = if good { Ok(0) } else { Err(Some(Errno::Inval.code())) };
            ensure!(answer == expected, "a map of {argsz} bytes: {answer:?}, expected {expected:?}");
            let argsz = argsz.min(argsz.saturating_sub(MAP_SIZE - UNMAP_SIZE));
            let answer = inval(self.container.unmap_raw(page.iova, page.len, false, 0, argsz));
            let expected = if good { Ok(page.len) } else { Err(Some(Errno::Inval.code())) };
            ensure!(answer == expected, "an unmap of {argsz} bytes: {answer:?}, expected {expected:?}");
            asked += 2;
        }
        println!("{asked} requests with sizes of their own, right and wrong: answered as they should be");
        self.container.unmap_all().context("emptying the container")?;
        Ok(())
    }
}

impl Traced for KernelTrace {
    fn can_ask(&self, op: &TraceOp) -> bool {
        match op {
            TraceOp::MapAsTold(request) => self.raw(request).is_some(),
            TraceOp::UnmapAsTold(_) => true,
            _ => self.ours.can_ask(op),
        }
    }

    fn apply(&mut self, op: &TraceOp) -> Result<u64, Errno> {
        let answer = match op {
            TraceOp::MapAsTold(request) => self.map(request, MAP_SIZE).map(|()| 0),
            TraceOp::UnmapAsTold(request) => {
                let (iova, len) = (request.iova, request.len);
                self.container.unmap_raw(iova, len, request.all, request.flags, UNMAP_SIZE)
            }
            _ => return self.ours.apply(op),
        };
        answer.map_err(|error| Errno::from_code(error.raw_os_error().unwrap_or_default()))
    }
}
