//! Requests of a disk, well formed or not, beside an IOMMU and behind one: nothing that the device may not write changes.

use std::io;
use std::sync::{Arc, Mutex};

use arbitrary::{Result, Unstructured};
use devices::virtio::testkit::{Behind, Bench, RawDesc, ram};
use devices::virtio::{Block, BlockOptions, F_EVENT_IDX, F_INDIRECT_DESC, Image};
use vm_memory::{Bytes, GuestAddress};

/// Guest memory: rings and their buffers in the first half, the driver's own pages behind.
const MEMORY: u64 = 1 << 20;
/// Where the tables and buffers of the input lie: three pages.
const AREA: u64 = 0x9_0000;
const PAGE: u64 = 0x1000;
/// Bytes of the disk.
const DISK: usize = 64 << 10;

struct FakeImage(Mutex<Vec<u8>>);

/// The part of the disk that a call names: it must all be there.
fn part(bytes: &mut [u8], offset: u64, len: u64) -> &mut [u8] {
    let (start, end) = (offset as usize, (offset + len) as usize);
    assert!(len > 0 && end <= DISK, "{offset:#x}+{len:#x} is not on the disk");
    &mut bytes[start..end]
}

impl Image for FakeImage {
    fn len(&self) -> u64 {
        DISK as u64
    }

    fn read(&self, offset: u64, data: &mut [u8]) -> io::Result<()> {
        data.copy_from_slice(part(&mut self.0.lock().unwrap(), offset, data.len() as u64));
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        part(&mut self.0.lock().unwrap(), offset, data.len() as u64).copy_from_slice(data);
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }

    fn discard(&self, offset: u64, len: u64) -> io::Result<()> {
        part(&mut self.0.lock().unwrap(), offset, len).fill(0);
        Ok(())
    }

    fn write_zeroes(&self, offset: u64, len: u64, _unmap: bool) -> io::Result<()> {
        self.discard(offset, len)
    }
}

/// Fills descriptors and a part of guest memory from `data`, and serves them.
pub fn block(data: &[u8]) {
    _ = play(&mut Unstructured::new(data));
}

fn play(input: &mut Unstructured) -> Result<()> {
    let options: u8 = input.arbitrary()?;
    let read_only = options & 1 != 0;
    let image = Arc::new(FakeImage(Mutex::new(vec![0x3c; DISK])));
    let how = BlockOptions {
        read_only,
        discard: options & 2 != 0,
        block_size: 512,
        queues: 1,
        serial: "fuzz".into(),
    };
    let device = Block::new(image.clone(), how);
    let features = F_INDIRECT_DESC | if options & 4 != 0 { F_EVENT_IDX } else { 0 };
    // Behind the IOMMU the last page of the area is not mapped, and the one before it may be read only.
    let behind = (options & 8 != 0).then(behind);
    let mut bench = match &behind {
        Some(behind) => Bench::behind(behind, &device, features),
        None => Bench::new(ram(MEMORY), &device, features),
    };
    let mem = bench.mem.clone();
    fill(input, &mut bench)?;
    let kept = read(&*mem, AREA + PAGE);
    device.serve_rings(bench.activation());
    if read_only {
        assert!(
            image.0.lock().unwrap().iter().all(|byte| *byte == 0x3c),
            "a disk that is read only was written"
        );
    }
    if behind.is_some() {
        assert!(read(&*mem, AREA + PAGE) == kept, "pages that the device may not write were written");
    }
    Ok(())
}

fn behind() -> Behind {
    let behind = Behind::new(MEMORY);
    behind.attach();
    behind.map(Behind::SHIFT, AREA + PAGE, 0, 3);
    behind.map(Behind::SHIFT + AREA + PAGE, PAGE, AREA + PAGE, 1);
    behind
}

fn read(mem: &impl Bytes<GuestAddress>, from: u64) -> Vec<u8> {
    let mut bytes = vec![0; 2 * PAGE as usize];
    assert!(mem.read_slice(&mut bytes, GuestAddress(from)).is_ok());
    bytes
}

/// Requests at the start of the area's pages, then descriptors that lead to them, mostly.
fn fill(input: &mut Unstructured, bench: &mut Bench) -> Result<()> {
    let queue = &mut bench.queues[0];
    let shift = queue.shift;
    for page in 0..3 {
        let kind: u8 = input.arbitrary()?;
        let kind = u32::from(if kind < 0xe0 { kind % 15 } else { kind });
        let sector: u8 = input.arbitrary()?;
        let sector = if sector < 0xf0 { u64::from(sector) } else { input.arbitrary()? };
        let rest: [u8; 32] = input.arbitrary()?;
        let at = GuestAddress(AREA + page * PAGE);
        let bytes = [&kind.to_le_bytes()[..], &[0; 4], &sector.to_le_bytes(), &rest].concat();
        bench.mem.write_slice(&bytes, at).expect("the area is in memory");
    }
    // Two chains as a driver builds them: header, data, status, with the data's place, length and direction left open.
    for first in [0u16, 4] {
        let (page, place, sectors, writable): (u8, u8, u8, bool) = input.arbitrary()?;
        let at = |page: u8| (AREA + u64::from(page % 3) * PAGE).wrapping_add(shift);
        let data = at(place) + u64::from(place >> 4) * 64;
        let (len, write) = (u32::from(sectors % 9) * 512, if writable { RawDesc::WRITE } else { 0 });
        let header = RawDesc { addr: at(page), len: 16, flags: RawDesc::NEXT, next: first + 1 };
        // DISCARD and WRITE_ZEROES take ranges of 16 bytes.
        let len = if sectors & 0x80 != 0 { len / 512 * 16 } else { len };
        queue.raw(first, header);
        queue.raw(first + 1, RawDesc { addr: data, len, flags: write | RawDesc::NEXT, next: first + 2 });
        queue.raw(first + 2, RawDesc { addr: at(0) + 0x800, len: 1, flags: RawDesc::WRITE, next: 0 });
    }
    // Then some of their descriptors, and others, as no driver would write them.
    for _ in 0..input.arbitrary::<u8>()? % 6 {
        let (index, place, len, flags, next): (u8, u8, u16, u8, u8) = input.arbitrary()?;
        let near = AREA + u64::from(place & 0x1f) * 16 + u64::from(place >> 5 & 3) * PAGE;
        let addr = if place < 0xf8 { near.wrapping_add(shift) } else { input.arbitrary()? };
        let flags = u16::from(flags & 7);
        queue.raw(u16::from(index & 7), RawDesc { addr, len: len.into(), flags, next: u16::from(next & 7) });
    }
    for _ in 0..4 {
        let head = input.arbitrary::<u8>()?;
        queue.publish(u16::from(if head < 0xe0 { head & 4 } else { head & 7 }));
    }
    Ok(())
}
