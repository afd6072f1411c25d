//! Carries out one request after the other.
//!
//! Whatever is wrong with a request, it comes back: with a status where there is room for one, unwritten where not. Used
//! lengths count bytes that were written from the first writable one on, never more. Only what a stop cuts short does not come
//! back; a stop is heeded after each call to the image, before guest memory is touched again.

use std::io;
use std::sync::Arc;

use super::config::{BlockOptions, MOST_DATA, MOST_RANGE_SECTORS, MOST_RANGES};
use super::request::{HEADER, ID_BYTES, Kind, RANGE, Range, SECTOR, Status, header, place};
use super::{Image, config};
use crate::virtio::queue::{Chain, Ring, RingError, Unreachable};
use crate::virtio::worker::WorkerHandler;

/// Bytes that are on their way at once, and the most that is copied while a mapping cannot be taken away.
const BUFFER: usize = 64 << 10;

/// `WRITE_ZEROES` may give the space back.
const UNMAP: u32 = 1;

/// Serves one queue.
pub(super) struct Server {
    image: Arc<dyn Image>,
    options: BlockOptions,
    /// A driver that cannot flush expects every write to be durable.
    write_through: bool,
    buffer: Vec<u8>,
    complained: bool,
}

/// Why a request ended early.
enum Failure {
    /// With this status.
    Status(Status),
    /// The host's disk failed.
    Host(io::Error),
}

impl From<Unreachable> for Failure {
    fn from(_: Unreachable) -> Failure {
        Failure::Status(Status::IoErr)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Host(error)
    }
}

const REFUSED: Failure = Failure::Status(Status::IoErr);
const UNKNOWN: Failure = Failure::Status(Status::Unsupp);

/// Cuts the request short when the device is to stop; its status is told to nobody then.
fn go_on(ring: &Ring) -> Result<(), Failure> {
    if ring.is_stopping() { Err(REFUSED) } else { Ok(()) }
}

impl Server {
    /// For a driver that accepted `features`.
    pub(super) fn new(image: Arc<dyn Image>, options: &BlockOptions, features: u64) -> Server {
        let write_through = features & config::FLUSH == 0;
        Server { image, options: options.clone(), write_through, buffer: vec![0; BUFFER], complained: false }
    }

    /// Carries the request out; `given` counts the bytes written for it.
    fn carry_out(&mut self, chain: &Chain, ring: &Ring, given: &mut u32) -> Result<(), Failure> {
        let mut bytes = [0; HEADER as usize];
        if chain.read(ring.mem(), 0, &mut bytes)? < bytes.len() {
            return Err(REFUSED);
        }
        let (kind, sector) = header(bytes);
        // The last writable byte is the status.
        let (sent, wanted) = (chain.readable_len() - HEADER, chain.writable_len().saturating_sub(1));
        match kind {
            Kind::Read => self.read(chain, ring, (sector, wanted), given),
            Kind::GetId => self.tell_id(chain, ring, wanted, given),
            Kind::Flush => Ok(self.image.flush()?),
            Kind::Unknown => Err(UNKNOWN),
            _ if self.options.read_only => Err(REFUSED),
            Kind::Write => self.write(chain, ring, (sector, sent)),
            Kind::Discard if !self.options.discard => Err(UNKNOWN),
            Kind::Discard | Kind::WriteZeroes => self.change_ranges(chain, ring, kind),
        }
    }

    /// Byte offset of a transfer that keeps to the rules.
    fn transfer(&self, (sector, bytes): (u64, u32)) -> Result<u64, Failure> {
        if bytes > MOST_DATA || !u64::from(bytes).is_multiple_of(SECTOR) {
            return Err(REFUSED);
        }
        place(sector, bytes.into(), self.image.len()).ok_or(REFUSED)
    }

    fn read(&mut self, chain: &Chain, ring: &Ring, from: (u64, u32), given: &mut u32) -> Result<(), Failure> {
        let offset = self.transfer(from)?;
        while *given < from.1 {
            let part = self.buffer.len().min((from.1 - *given) as usize);
            let part = self.buffer.get_mut(..part).unwrap_or_default();
            self.image.read(offset + u64::from(*given), part)?;
            go_on(ring)?;
            chain.write(ring.mem(), *given, part)?;
            *given += part.len() as u32;
        }
        Ok(())
    }

    fn write(&mut self, chain: &Chain, ring: &Ring, to: (u64, u32)) -> Result<(), Failure> {
        let offset = self.transfer(to)?;
        let mut done = 0;
        while done < to.1 {
            go_on(ring)?;
            let part = self.buffer.len().min((to.1 - done) as usize);
            let part = self.buffer.get_mut(..part).unwrap_or_default();
            chain.read(ring.mem(), HEADER + done, part)?;
            self.image.write(offset + u64::from(done), part)?;
            done += part.len() as u32;
        }
        self.settle(ring)
    }

    /// After a change: makes it durable where the driver cannot ask for that.
    fn settle(&self, ring: &Ring) -> Result<(), Failure> {
        go_on(ring)?;
        if self.write_through {
            self.image.flush()?;
        }
        Ok(())
    }

    fn tell_id(&self, chain: &Chain, ring: &Ring, wanted: u32, given: &mut u32) -> Result<(), Failure> {
        let mut id = [0; ID_BYTES];
        for (to, from) in id.iter_mut().zip(self.options.serial.bytes()) {
            *to = from;
        }
        let len = id.len().min(wanted as usize);
        *given = chain.write(ring.mem(), 0, id.get(..len).unwrap_or_default())? as u32;
        Ok(())
    }

    fn change_ranges(&mut self, chain: &Chain, ring: &Ring, kind: Kind) -> Result<(), Failure> {
        let sent = chain.readable_len() - HEADER;
        if sent == 0 || !sent.is_multiple_of(RANGE) || sent / RANGE > MOST_RANGES {
            return Err(REFUSED);
        }
        let mut ranges = Vec::with_capacity((sent / RANGE) as usize);
        for at in (0..sent).step_by(RANGE as usize) {
            let mut bytes = [0; RANGE as usize];
            chain.read(ring.mem(), HEADER + at, &mut bytes)?;
            ranges.push(self.check(Range::decode(bytes), kind)?);
        }
        // All are right before the first is carried out.
        for (offset, len, unmap) in ranges {
            go_on(ring)?;
            match kind {
                Kind::Discard => self.image.discard(offset, len)?,
                _ => self.write_zeroes(ring, (offset, len), unmap && self.options.discard)?,
            }
        }
        self.settle(ring)
    }

    fn write_zeroes(&mut self, ring: &Ring, (offset, len): (u64, u64), unmap: bool) -> Result<(), Failure> {
        match self.image.write_zeroes(offset, len, unmap) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
            done => return Ok(done?),
        }
        self.buffer.fill(0);
        let mut done = 0;
        while done < len {
            go_on(ring)?;
            let part = self.buffer.len().min(usize::try_from(len - done).unwrap_or(usize::MAX));
            self.image.write(offset + done, self.buffer.get(..part).unwrap_or_default())?;
            done += part as u64;
        }
        Ok(())
    }

    /// Offset and length of a range in bytes, and whether its space may be given back.
    fn check(&self, range: Range, kind: Kind) -> Result<(u64, u64, bool), Failure> {
        let known = if kind == Kind::WriteZeroes { UNMAP } else { 0 };
        if range.flags & !known != 0 {
            return Err(UNKNOWN);
        }
        if range.count == 0 || range.count > MOST_RANGE_SECTORS {
            return Err(REFUSED);
        }
        let len = u64::from(range.count) * SECTOR;
        let offset = place(range.sector, len, self.image.len()).ok_or(REFUSED)?;
        Ok((offset, len, range.flags & UNMAP != 0))
    }

    /// Tells a failure of the host once: a guest can provoke any number.
    #[cold]
    fn complain(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.complained, true) {
            log::error!(
                "virtio-blk: the image fails: {error}; the guest gets an error, later ones are not told"
            );
        }
    }
}

impl WorkerHandler for Server {
    fn handle(&mut self, _index: u16, chain: &Chain, ring: &Ring) -> Result<u32, RingError> {
        let Some(last) = chain.writable_len().checked_sub(1) else { return Ok(0) };
        let mut given = 0;
        let outcome = self.carry_out(chain, ring, &mut given);
        if ring.is_stopping() {
            return Ok(0);
        }
        let status = match outcome {
            Ok(()) => Status::Ok,
            Err(Failure::Status(status)) => status,
            Err(Failure::Host(error)) => {
                self.complain(&error);
                Status::IoErr
            }
        };
        let told = chain.write(ring.mem(), last, &[status.byte()]).is_ok();
        Ok(if told && given == last { given + 1 } else { given })
    }
}
