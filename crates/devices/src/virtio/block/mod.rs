//! virtio-blk: a disk for the guest, over an [`Image`].
//!
//! Each queue has a thread of its own. A request's bytes go through a buffer of the thread's: guest memory is touched for the
//! length of a copy only, so that nobody who takes a mapping away waits for the host's disk.

mod config;
mod image;
mod qcow2;
mod request;
mod serve;

use std::sync::Arc;

pub use config::BlockOptions;
pub use image::{Image, RawImage};
pub use qcow2::Qcow2Image;

use super::device::{ActivateError, Activation, VirtioDevice};
use super::queue::{F_EVENT_IDX, F_INDIRECT_DESC};
use super::worker::Worker;
use config::Config;
use serve::Server;

/// Virtio device id of a disk.
const DEVICE_ID: u16 = 2;
const NAME: &str = "virtio-blk";
/// Entries of each queue.
const QUEUE_SIZE: u16 = 256;

/// The disk.
pub struct Block {
    image: Arc<dyn Image>,
    options: BlockOptions,
    config: Config,
    sizes: Vec<u16>,
    workers: Vec<Worker>,
}

impl Block {
    /// A disk over `image`.
    pub fn new(image: Arc<dyn Image>, options: BlockOptions) -> Block {
        let queues = options.queues.max(1);
        let config = Config::new(&*image, &options);
        Block { image, config, sizes: vec![QUEUE_SIZE; queues.into()], options, workers: Vec::new() }
    }
}

#[cfg(any(test, feature = "testkit"))]
impl Block {
    /// Serves the rings once as the queues' threads do, on this thread.
    pub fn serve_rings(&self, activation: Activation) {
        let mut server = Server::new(self.image.clone(), &self.options, activation.features);
        Worker::serve_once(activation, &mut server);
    }
}

impl VirtioDevice for Block {
    fn name(&self) -> &'static str {
        NAME
    }

    fn device_id(&self) -> u16 {
        DEVICE_ID
    }

    fn features(&self) -> u64 {
        config::features(&self.options) | F_EVENT_IDX | F_INDIRECT_DESC
    }

    fn queue_sizes(&self) -> &[u16] {
        &self.sizes
    }

    fn config_read(&self, offset: u64, data: &mut [u8]) {
        self.config.read(offset, data);
    }

    fn config_write(&mut self, _offset: u64, _data: &[u8], _features: u64) -> bool {
        // No field can be written; a stray write harms nobody.
        true
    }

    fn activate(&mut self, activation: Activation) -> Result<(), ActivateError> {
        let Activation { mem, interrupt, queues, features } = activation;
        let count = queues.len();
        for (index, queue) in queues.into_iter().enumerate().filter(|(_, queue)| queue.is_some()) {
            let mut own: Vec<_> = (0..count).map(|_| None).collect();
            if let Some(place) = own.get_mut(index) {
                *place = queue;
            }
            let part = Activation { mem: mem.clone(), interrupt: interrupt.clone(), queues: own, features };
            let server = Server::new(self.image.clone(), &self.options, features);
            let started = Worker::start(NAME, part, server);
            self.workers.push(started.map_err(ActivateError::of(NAME))?);
        }
        Ok(())
    }

    fn reset(&mut self) {
        // All of them first: each may have to wait for the disk.
        self.workers.iter().for_each(Worker::ask_to_stop);
        self.workers.clear();
    }
}

#[cfg(test)]
mod tests;
