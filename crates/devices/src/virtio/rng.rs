//! virtio-rng: random bytes from the host's pool.

use rustix::rand::{GetRandomFlags, getrandom};

use super::device::{ActivateError, Activation, VirtioDevice};
use super::queue::{Chain, F_EVENT_IDX, F_INDIRECT_DESC, Ring, RingError};
use super::worker::{Worker, WorkerHandler};

/// Virtio device id of an entropy source.
const DEVICE_ID: u16 = 4;

/// Entries of the queue.
const QUEUE_SIZE: u16 = 256;

/// Bytes given for one request at most; a driver asks again for more. Also the most that a stop waits for.
const REQUEST_LIMIT: u32 = 64 << 10;

/// The entropy source.
#[derive(Default)]
pub struct Rng {
    worker: Option<Worker>,
}

struct Source;

impl WorkerHandler for Source {
    fn handle(&mut self, _index: u16, chain: &Chain, ring: &Ring) -> Result<u32, RingError> {
        let wanted = chain.writable_len().min(REQUEST_LIMIT);
        let mut given = 0;
        let mut bytes = [0; 4096];
        while given < wanted {
            let most = bytes.len().min((wanted - given) as usize);
            let part = bytes.get_mut(..most).unwrap_or_default();
            let Ok(got @ 1..) = getrandom(&mut *part, GetRandomFlags::empty()) else { break };
            // A buffer that the device may not write ends the request with what was given before.
            let done = chain.write(ring.mem(), given, part.get(..got).unwrap_or_default());
            let Ok(done @ 1..) = done else { break };
            given += done as u32;
        }
        Ok(given)
    }
}

impl VirtioDevice for Rng {
    fn name(&self) -> &'static str {
        "virtio-rng"
    }

    fn device_id(&self) -> u16 {
        DEVICE_ID
    }

    fn features(&self) -> u64 {
        F_EVENT_IDX | F_INDIRECT_DESC
    }

    fn queue_sizes(&self) -> &[u16] {
        &[QUEUE_SIZE]
    }

    fn config_read(&self, _offset: u64, data: &mut [u8]) {
        data.fill(0);
    }

    fn config_write(&mut self, _offset: u64, _data: &[u8], _features: u64) -> bool {
        // There is no configuration; a stray write harms nobody.
        true
    }

    fn activate(&mut self, activation: Activation) -> Result<(), ActivateError> {
        let started = Worker::start("virtio-rng", activation, Source);
        self.worker = Some(started.map_err(ActivateError::of("virtio-rng"))?);
        Ok(())
    }

    fn reset(&mut self) {
        if let Some(worker) = self.worker.take() {
            worker.stop();
        }
    }
}

#[cfg(test)]
mod tests;
