//! The way of a request, again and again, for one who counts its instructions from outside (`cargo xtask bench`).
//!
//! Decoding alone; decoding, the state machine and the tables; the same from the ring in guest memory and back into it; and
//! beside them the look-ups of the device behind, and its reads of 64 bits, translated or not. The endpoint is an emulated one, so every instruction is the product's own and none a fake's.

use std::hint::black_box;

use devices::virtio::Dma;
use devices::virtio::testkit::{Bench, ram};
use virtio_iommu_spec::{MAX_REQUEST_SIZE, Request, Status, decode, encode};
use vm_memory::{Bytes, GuestAddress};

use crate::Failure;
use crate::world::{FEATURES, Memory, PAGE, Rules, World};

/// How much of the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Bytes to a request.
    Decode,
    /// Bytes to a status, the table changed.
    Handle,
    /// From the available ring to the used ring.
    Ring,
    /// What the emulated device finds at addresses all over the live mappings.
    LookUp,
    /// 64 bits read by a device whose addresses are not translated, of one address again and again.
    Read,
    /// The same by the emulated device, through the live mappings.
    TranslatedRead,
}

/// `VIRTIO_RING_F_EVENT_IDX`
const EVENT_IDX: u64 = 1 << 29;
/// The live mappings begin here, above everything that is reserved.
const LIVE: u64 = 1 << 33;
/// A stride that meets every place: prime, and larger than any number of mappings.
const STRIDE: u64 = 15_485_863;
/// Requests that lie in the ring at once; two descriptors each.
const BATCH: u64 = 64;
/// The emulated endpoint, and its domain.
const ENDPOINT: u32 = 24;
const DOMAIN: u32 = 1;

/// A device with live mappings, ready for more.
pub struct Path {
    world: World,
    bench: Bench,
    live: u64,
    direct: Dma,
    translated: Dma,
}

impl Path {
    /// A device whose domain has `live` mappings.
    pub fn new(live: u64) -> Result<Path, Failure> {
        let rules = Rules { max_mappings: live as usize + 2, emulated: true, ..Rules::plain() };
        let world = World::new(&rules, &Memory::new());
        world.device.negotiate(FEATURES);
        let bench = Bench::new(ram(1 << 20), &world.device, FEATURES | EVENT_IDX);
        let translated = world.device.handle().dma(ENDPOINT, bench.mem.clone(), world.soft.clone());
        let direct = Dma::direct(bench.mem.clone());
        let path = Path { world, bench, live, direct, translated };
        path.expect_ok(&Request::Attach { domain: DOMAIN, endpoint: ENDPOINT, flags: 0, reserved: 0 })?;
        for n in 0..live {
            path.expect_ok(&map(2 * n))?;
        }
        Ok(path)
    }

    /// Request `n` of an endless row of maps and unmaps at places all over the live mappings.
    pub fn request(&self, n: u64) -> Request {
        let pair = n / 2;
        let place = 2 * (pair.wrapping_mul(STRIDE) % (self.live + 1)) + 1;
        if n.is_multiple_of(2) { map(place) } else { unmap(place) }
    }

    /// Carries out `count` requests up to `part`.
    #[inline(never)]
    pub fn run(&mut self, part: Part, count: u64) -> Result<(), Failure> {
        match part {
            Part::Decode => (0..count).for_each(|n| {
                let (bytes, len) = encoded(&self.request(n));
                let _ = black_box(decode(black_box(&bytes[..len])));
            }),
            Part::Handle => (0..count).try_for_each(|n| self.expect_ok(&self.request(n)))?,
            Part::LookUp => (0..count).try_for_each(|n| {
                let at = LIVE + 2 * (n.wrapping_mul(STRIDE) % self.live.max(1)) * PAGE;
                let found = self.world.soft.enter().get(black_box(at));
                let right = found.is_some() == (self.live > 0);
                if right { Ok(()) } else { Err(Failure(format!("at {at:#x} there is {found:x?}"))) }
            })?,
            Part::Read => read(&self.direct, 0, count)?,
            Part::TranslatedRead => read(&self.translated, LIVE, count)?,
            Part::Ring => {
                let mut sent = 0;
                while sent < count {
                    let batch = BATCH.min(count - sent);
                    self.batch(sent, batch)?;
                    sent += batch;
                }
            }
        }
        Ok(())
    }

    /// Looks at the IOMMU behind the device.
    pub fn with_iommu<T>(&self, look: impl FnOnce(&iommu_domain::Iommu) -> T) -> T {
        self.world.device.with_iommu(look)
    }

    fn batch(&mut self, first: u64, count: u64) -> Result<(), Failure> {
        // New rings: each serving starts at their beginning.
        self.bench = Bench::new(self.bench.mem.clone(), &self.world.device, FEATURES | EVENT_IDX);
        let mut sent = Vec::new();
        for n in first..first + count {
            let (bytes, len) = encoded(&self.request(n));
            sent.push(self.bench.queues[0].chain().readable(&bytes[..len]).writable(4).send());
        }
        let activation = self.bench.activation();
        self.world.device.serve_rings(activation).map_err(|error| Failure(error.to_string()))?;
        for sent in sent {
            let used =
                self.bench.queues[0].poll().ok_or_else(|| Failure("a request has no answer".into()))?;
            let status = self.bench.queues[0].reply(&sent, used).bytes.first().copied();
            if status != Some(Status::Ok as u8) {
                return Err(Failure(format!("answered {status:?}")));
            }
        }
        Ok(())
    }

    fn expect_ok(&self, request: &Request) -> Result<(), Failure> {
        let (bytes, len) = encoded(request);
        match self.world.device.serve(&bytes[..len]) {
            Some(Status::Ok) => Ok(()),
            other => Err(Failure(format!("{request:?}: answered {other:?}"))),
        }
    }
}

/// Reads the 64 bits at `address` again and again.
fn read(memory: &Dma, address: u64, count: u64) -> Result<(), Failure> {
    (0..count).try_for_each(|_| {
        let bits: u64 = memory
            .read_obj(GuestAddress(black_box(address)))
            .map_err(|error| Failure(format!("at {address:#x}: {error}")))?;
        black_box(bits);
        Ok(())
    })
}

fn encoded(request: &Request) -> ([u8; MAX_REQUEST_SIZE], usize) {
    let mut bytes = [0; MAX_REQUEST_SIZE];
    let len = encode(request, &mut bytes);
    (bytes, len)
}

fn map(place: u64) -> Request {
    let virt_start = LIVE + place * PAGE;
    Request::Map { domain: DOMAIN, virt_start, virt_end: virt_start + (PAGE - 1), phys_start: 0, flags: 3 }
}

fn unmap(place: u64) -> Request {
    let virt_start = LIVE + place * PAGE;
    Request::Unmap { domain: DOMAIN, virt_start, virt_end: virt_start + (PAGE - 1), reserved: 0 }
}
