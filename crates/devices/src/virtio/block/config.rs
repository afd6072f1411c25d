//! What a disk tells of itself: features and configuration space.

use data_model::Span;
use serde::{Deserialize, Serialize};
use virtio_bindings::bindings::virtio_blk::{
    VIRTIO_BLK_F_BLK_SIZE, VIRTIO_BLK_F_DISCARD, VIRTIO_BLK_F_FLUSH, VIRTIO_BLK_F_MQ, VIRTIO_BLK_F_RO,
    VIRTIO_BLK_F_SEG_MAX, VIRTIO_BLK_F_SIZE_MAX, VIRTIO_BLK_F_WRITE_ZEROES,
};

use super::Image;
use super::request::SECTOR;

/// What the user says of a disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockOptions {
    /// The guest may not write.
    pub read_only: bool,
    /// Whether the guest may give space back to the host.
    pub discard: bool,
    /// Bytes of a block as the guest shall see it: a power of two, at least 512.
    pub block_size: u32,
    /// Queues.
    pub queues: u16,
    /// Serial number, cut after 20 bytes.
    pub serial: String,
}

/// Buffers of one request besides header and status, and bytes in each: together less than [`MOST_DATA`].
const SEGMENTS: u32 = 126;
const SEGMENT_BYTES: u32 = 256 << 10;
/// Bytes of one request, so that a stop has not long to wait for one.
pub(super) const MOST_DATA: u32 = 32 << 20;
/// Ranges of one DISCARD, and of one WRITE_ZEROES.
pub(super) const MOST_RANGES: u32 = 32;
/// Sectors of one such range.
pub(super) const MOST_RANGE_SECTORS: u32 = MOST_DATA / SECTOR as u32;

/// The driver can ask for durability.
pub(super) const FLUSH: u64 = 1 << VIRTIO_BLK_F_FLUSH;

/// Bytes of the configuration space.
const SIZE: usize = 60;

/// Features of a disk with these options.
pub(super) fn features(options: &BlockOptions) -> u64 {
    let bit = |on: bool, feature: u32| if on { 1 << feature } else { 0 };
    let writable = !options.read_only;
    bit(true, VIRTIO_BLK_F_SEG_MAX)
        | bit(true, VIRTIO_BLK_F_SIZE_MAX)
        | bit(true, VIRTIO_BLK_F_BLK_SIZE)
        | bit(options.read_only, VIRTIO_BLK_F_RO)
        | bit(writable, VIRTIO_BLK_F_FLUSH)
        | bit(writable, VIRTIO_BLK_F_WRITE_ZEROES)
        | bit(writable && options.discard, VIRTIO_BLK_F_DISCARD)
        | bit(options.queues > 1, VIRTIO_BLK_F_MQ)
}

/// The configuration space, which never changes.
pub(super) struct Config([u8; SIZE]);

impl Config {
    pub(super) fn new(image: &dyn Image, options: &BlockOptions) -> Config {
        let mut bytes = [0; SIZE];
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(0, &(image.len() / SECTOR).to_le_bytes());
        put(8, &SEGMENT_BYTES.to_le_bytes());
        put(12, &SEGMENTS.to_le_bytes());
        put(20, &options.block_size.to_le_bytes());
        put(34, &options.queues.to_le_bytes());
        // DISCARD: sectors, ranges, alignment in sectors.
        put(36, &MOST_RANGE_SECTORS.to_le_bytes());
        put(40, &MOST_RANGES.to_le_bytes());
        put(44, &(options.block_size / SECTOR as u32).to_le_bytes());
        // WRITE_ZEROES: sectors, ranges, whether it may give the space back.
        put(48, &MOST_RANGE_SECTORS.to_le_bytes());
        put(52, &MOST_RANGES.to_le_bytes());
        put(56, &[options.discard.into()]);
        Config(bytes)
    }

    /// Reads bytes of it; zeros beyond its end.
    pub(super) fn read(&self, offset: u64, data: &mut [u8]) {
        data.fill(0);
        let Some(span) = Span::from_len(offset, data.len() as u64) else { return };
        for (to, at) in data.iter_mut().zip(span.start()..=span.last()) {
            *to = usize::try_from(at).ok().and_then(|at| self.0.get(at)).copied().unwrap_or(0);
        }
    }
}
