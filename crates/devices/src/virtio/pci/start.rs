//! From the registers that a driver filled in to the queues that a device takes over.

use virtio_queue::{Queue, QueueT};
use vm_memory::{GuestAddress, GuestMemory, Permissions};

use super::common::{Common, QueueSetup};
use super::doorbells::Kicks;
use crate::virtio::{Dma, F_EVENT_IDX, QueueHandle};

/// The enabled queues, checked; `Err` says what is wrong with one.
pub fn queues(common: &Common, kicks: &Kicks, mem: &Dma) -> Result<Vec<Option<QueueHandle>>, String> {
    let event_idx = common.features() & F_EVENT_IDX != 0;
    let handle = |(index, setup): (usize, &QueueSetup)| {
        if !setup.enabled {
            return Ok(None);
        }
        let mut queue =
            queue(setup, mem).ok_or_else(|| format!("queue {index} does not lie in guest memory"))?;
        queue.set_event_idx(event_idx);
        queue.set_ready(true);
        let kick = kicks.fresh(index).map_err(|error| format!("queue {index}: no event: {error}"))?;
        Ok(Some(QueueHandle { queue, kick }))
    };
    common.queues.iter().enumerate().map(handle).collect()
}

/// `None`: a part is not aligned or not all in guest RAM. Where addresses are translated, what is not mapped shows when the
/// device gets to it: mappings come and go while it runs.
fn queue(setup: &QueueSetup, mem: &Dma) -> Option<Queue> {
    let size = usize::from(setup.size);
    let parts = [(setup.desc, 16 * size), (setup.driver, 6 + 2 * size), (setup.device, 6 + 8 * size)];
    let in_ram =
        |(address, len): &(u64, usize)| mem.check_range(GuestAddress(*address), *len, Permissions::ReadWrite);
    if !mem.is_translated() && !parts.iter().all(in_ram) {
        return None;
    }
    let mut queue = Queue::new(setup.max).ok()?;
    queue.try_set_size(setup.size).ok()?;
    queue.try_set_desc_table_address(GuestAddress(setup.desc)).ok()?;
    queue.try_set_avail_ring_address(GuestAddress(setup.driver)).ok()?;
    queue.try_set_used_ring_address(GuestAddress(setup.device)).ok()?;
    Some(queue)
}
