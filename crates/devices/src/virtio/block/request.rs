//! Requests of a disk's driver, from bytes.

use virtio_bindings::bindings::virtio_blk::{
    VIRTIO_BLK_S_IOERR, VIRTIO_BLK_S_OK, VIRTIO_BLK_S_UNSUPP, VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_FLUSH,
    VIRTIO_BLK_T_GET_ID, VIRTIO_BLK_T_IN, VIRTIO_BLK_T_OUT, VIRTIO_BLK_T_WRITE_ZEROES,
};

/// The unit of positions and capacity, whatever the block size.
pub(super) const SECTOR: u64 = 512;
/// Bytes before the data of a request.
pub(super) const HEADER: u32 = 16;
/// Bytes of one range of a DISCARD or WRITE_ZEROES.
pub(super) const RANGE: u32 = 16;
/// Bytes of the answer to GET_ID.
pub(super) const ID_BYTES: usize = 20;

/// What the driver wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Read,
    Write,
    Flush,
    GetId,
    Discard,
    WriteZeroes,
    /// Nothing that this device knows.
    Unknown,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Ok,
    /// The host's disk, the position or the memory of the request was at fault.
    IoErr,
    /// The device does not do that.
    Unsupp,
}

impl Status {
    /// The byte that tells it.
    pub(super) fn byte(self) -> u8 {
        let code = match self {
            Status::Ok => VIRTIO_BLK_S_OK,
            Status::IoErr => VIRTIO_BLK_S_IOERR,
            Status::Unsupp => VIRTIO_BLK_S_UNSUPP,
        };
        code as u8
    }
}

/// Kind and first sector of a request.
pub(super) fn header(bytes: [u8; HEADER as usize]) -> (Kind, u64) {
    let [k0, k1, k2, k3, _, _, _, _, sector @ ..] = bytes;
    let kind = match u32::from_le_bytes([k0, k1, k2, k3]) {
        VIRTIO_BLK_T_IN => Kind::Read,
        VIRTIO_BLK_T_OUT => Kind::Write,
        VIRTIO_BLK_T_FLUSH => Kind::Flush,
        VIRTIO_BLK_T_GET_ID => Kind::GetId,
        VIRTIO_BLK_T_DISCARD => Kind::Discard,
        VIRTIO_BLK_T_WRITE_ZEROES => Kind::WriteZeroes,
        _ => Kind::Unknown,
    };
    (kind, u64::from_le_bytes(sector))
}

/// A range to discard or to make zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    /// First sector.
    pub sector: u64,
    /// Sectors.
    pub count: u32,
    /// Bit 0: the space may be given back (WRITE_ZEROES only).
    pub flags: u32,
}

impl Range {
    pub(super) fn decode(bytes: [u8; RANGE as usize]) -> Range {
        let [s0, s1, s2, s3, s4, s5, s6, s7, c0, c1, c2, c3, f0, f1, f2, f3] = bytes;
        Range {
            sector: u64::from_le_bytes([s0, s1, s2, s3, s4, s5, s6, s7]),
            count: u32::from_le_bytes([c0, c1, c2, c3]),
            flags: u32::from_le_bytes([f0, f1, f2, f3]),
        }
    }
}

/// Byte offset of `bytes` bytes from `sector` on in a disk of `capacity` bytes; `None` when they are not all on it.
pub(super) fn place(sector: u64, bytes: u64, capacity: u64) -> Option<u64> {
    let offset = sector.checked_mul(SECTOR)?;
    let end = offset.checked_add(bytes)?;
    (end <= capacity / SECTOR * SECTOR).then_some(offset)
}
