//! The control queue: the driver says how many pairs of queues it uses.

use std::sync::Arc;

use virtio_bindings::bindings::virtio_net::{
    VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, VIRTIO_NET_ERR, VIRTIO_NET_OK,
};

use super::pairs::Pairs;
use crate::virtio::queue::{Chain, Ring, RingError};
use crate::virtio::worker::WorkerHandler;

/// Class, command, and the number of pairs.
const COMMAND: usize = 4;

/// Serves it.
pub(super) struct Control {
    pub pairs: Arc<Pairs>,
    /// Whether the driver may use more than one.
    pub several: bool,
}

impl Control {
    /// Whether the command was right, and is carried out.
    fn carry_out(&self, chain: &Chain, ring: &Ring) -> bool {
        let mut bytes = [0; COMMAND];
        if chain.readable_len() as usize != COMMAND || chain.read(ring.mem(), 0, &mut bytes).is_err() {
            return false;
        }
        let [class, command, low, high] = bytes;
        let count = usize::from(u16::from_le_bytes([low, high]));
        let known = u32::from(class) == VIRTIO_NET_CTRL_MQ
            && u32::from(command) == VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET
            && self.several;
        if !known || !(1..=self.pairs.taps().len()).contains(&count) {
            return false;
        }
        match self.pairs.use_only(count) {
            Ok(()) => true,
            Err(error) => {
                log::warn!("virtio-net: cannot use {count} queues of the tap device: {error}");
                false
            }
        }
    }
}

impl WorkerHandler for Control {
    fn handle(&mut self, _index: u16, chain: &Chain, ring: &Ring) -> Result<u32, RingError> {
        // The last writable byte is the answer; without one nothing is done.
        let Some(last) = chain.writable_len().checked_sub(1) else { return Ok(0) };
        let answer = if self.carry_out(chain, ring) { VIRTIO_NET_OK } else { VIRTIO_NET_ERR };
        let told = chain.write(ring.mem(), last, &[answer as u8]).is_ok();
        // Bytes from the first writable one on.
        Ok(u32::from(told && last == 0))
    }
}

#[cfg(test)]
mod tests;
