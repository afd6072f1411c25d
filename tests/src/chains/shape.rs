//! The ways in which a chain can be wrong.

use base::GuestMem;
use devices::virtio::testkit::{DriverQueue, RawDesc};
use virtio_iommu_spec::Request;
use vm_memory::{Bytes, GuestAddress};

use super::bytes;
use crate::Random;
use crate::world::PAGE;

/// A way to be wrong, or odd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A good request in many pieces.
    Split,
    /// A good request in an indirect table, perhaps with more room than descriptors.
    Indirect,
    /// A request cut short.
    Short,
    /// A request with bytes to spare, perhaps very many.
    Long,
    /// No room or too little for the answer.
    NoRoom,
    /// The descriptors of the table lead back to one another.
    Loop,
    /// An indirect table that leads back to itself.
    IndirectLoop,
    /// An indirect table in an indirect table, or with a successor.
    Nested,
    /// An indirect table of a size that is no multiple of 16, empty, or enormous.
    OddTable,
    /// A buffer outside guest memory or across its end.
    OutOfMemory,
    /// An indirect table outside guest memory.
    TableOutOfMemory,
    /// Readable after writable.
    WrongOrder,
    /// A successor that is no entry of the table.
    BadNext,
    /// A head that is no entry of the table.
    BadHead,
    /// An available index that is further ahead than the ring is long.
    BadIndex,
    /// The same chain twice.
    Twice,
    /// Descriptors with flags that nobody defined.
    OddFlags,
    /// Buffers without bytes between the others.
    Empty,
    /// Everything at random.
    Noise,
}

impl Shape {
    /// Every shape.
    pub const ALL: [Shape; 19] = [
        Shape::Split,
        Shape::Indirect,
        Shape::Short,
        Shape::Long,
        Shape::NoRoom,
        Shape::Loop,
        Shape::IndirectLoop,
        Shape::Nested,
        Shape::OddTable,
        Shape::OutOfMemory,
        Shape::TableOutOfMemory,
        Shape::WrongOrder,
        Shape::BadNext,
        Shape::BadHead,
        Shape::BadIndex,
        Shape::Twice,
        Shape::OddFlags,
        Shape::Empty,
        Shape::Noise,
    ];
}

/// What was put into the ring.
pub struct Made {
    /// Whether it may be taken for the request that maps page 4.
    pub is_request: bool,
    /// Writable bytes at most.
    pub writable: u64,
}

const NEXT: u16 = RawDesc::NEXT;
const WRITE: u16 = RawDesc::WRITE;
const INDIRECT: u16 = RawDesc::INDIRECT;

/// Where chains are built.
pub struct Ground<'a> {
    /// Memory that holds the queue.
    pub mem: &'a GuestMem,
    /// Addresses where no memory is, or where it ends; at the first not even one byte is memory.
    pub outside: &'a [u64],
    /// Guest-physical address of the page that the request maps.
    pub page: u64,
}

/// Builds and publishes a chain that asks for page 4 of domain 1, or seems to.
pub fn build(shape: Shape, random: &mut Random, ground: &Ground<'_>, queue: &mut DriverQueue) -> Made {
    let (virt_start, virt_end) = (4 * PAGE, 5 * PAGE - 1);
    let map = Request::Map { domain: 1, virt_start, virt_end, phys_start: ground.page, flags: 3 };
    let map = bytes(&map);
    let mut builder = Builder { random, ground, queue };
    let parts = builder.parts(shape, &map);
    builder.place(shape, parts)
}

/// Address, length, flags.
type Part = (u64, u32, u16);

struct Builder<'a> {
    random: &'a mut Random,
    ground: &'a Ground<'a>,
    queue: &'a mut DriverQueue,
}

impl Builder<'_> {
    fn readable(&mut self, bytes: &[u8]) -> Part {
        let at = self.queue.buffer(bytes.len() as u32);
        self.ground.mem.write_slice(bytes, GuestAddress(at)).expect("the buffer is in RAM");
        (at, bytes.len() as u32, 0)
    }

    fn writable(&mut self, len: u32) -> Part {
        (self.queue.buffer(len), len, WRITE)
    }

    /// An address where no memory is, or where it ends.
    fn nowhere(&mut self) -> u64 {
        self.random.pick(self.ground.outside)
    }

    fn parts(&mut self, shape: Shape, map: &[u8]) -> Vec<Part> {
        let cut = 1 + self.random.below(35) as usize;
        match shape {
            Shape::Split => {
                let piece = 1 + self.random.below(9) as usize;
                let mut parts: Vec<Part> = map.chunks(piece).map(|piece| self.readable(piece)).collect();
                parts.extend((0..4).map(|_| self.writable(1)).collect::<Vec<_>>());
                parts
            }
            Shape::Short => vec![self.readable(&map[..cut]), self.writable(4)],
            Shape::Long => {
                let more = self.random.pick(&[1u32, 36, 4096, 100_000, u32::MAX]);
                let (at, len, _) = self.readable(map);
                vec![(at, len.saturating_add(more), 0), self.writable(64)]
            }
            Shape::NoRoom => {
                let room = self.random.below(4) as u32;
                let mut parts = vec![self.readable(map)];
                if room > 0 || self.random.once_in(2) {
                    parts.push(self.writable(room));
                }
                parts
            }
            Shape::OutOfMemory => {
                let mut parts =
                    vec![self.readable(&map[..cut]), self.readable(&map[cut..]), self.writable(4)];
                let at = self.random.below(3) as usize;
                // A byte or two would fit before the end of memory.
                parts[at].0 = if parts[at].1 < 4 { self.ground.outside[0] } else { self.nowhere() };
                parts
            }
            Shape::WrongOrder => vec![self.writable(4), self.readable(map), self.writable(4)],
            Shape::Empty => {
                let empty = (self.queue.buffer(1), 0, 0);
                let parts = [self.readable(&map[..cut]), empty, self.readable(&map[cut..])];
                [parts.to_vec(), vec![(0, 0, WRITE), self.writable(4), (u64::MAX, 0, WRITE)]].concat()
            }
            Shape::Noise => {
                let count = 1 + self.random.below(6);
                (0..count).map(|_| self.noise(map)).collect()
            }
            _ => vec![self.readable(&map[..cut]), self.readable(&map[cut..]), self.writable(4)],
        }
    }

    fn noise(&mut self, map: &[u8]) -> Part {
        let (at, ..) = self.readable(map);
        let nowhere = self.nowhere();
        let address = self.random.pick(&[at, at, at, at + 32, u64::MAX, nowhere, self.queue.layout.desc]);
        let length = self.random.pick(&[0, 1, 4, 36, 72, 4096, 1 << 20, u32::MAX]);
        (address, length, self.random.pick(&[0, WRITE, INDIRECT, INDIRECT | WRITE, 8, 0xfff8]))
    }

    /// Turns parts into descriptors, in the ring's table or an indirect one, and publishes the chain.
    fn place(&mut self, shape: Shape, parts: Vec<Part>) -> Made {
        let writable = parts.iter().filter(|part| part.2 & WRITE != 0).map(|part| u64::from(part.1)).sum();
        let indirect = match shape {
            Shape::Indirect
            | Shape::IndirectLoop
            | Shape::Nested
            | Shape::OddTable
            | Shape::TableOutOfMemory => true,
            Shape::BadNext | Shape::OddFlags | Shape::Empty | Shape::OutOfMemory | Shape::WrongOrder => {
                self.random.once_in(2)
            }
            _ => false,
        };
        let mut descs = linked(&parts);
        self.damage(shape, &mut descs);
        if indirect {
            self.place_indirect(shape, &descs)
        } else {
            self.place_direct(&descs)
        }
        self.publish(shape);
        let is_request =
            !matches!(shape, Shape::Short | Shape::NoRoom | Shape::OutOfMemory | Shape::WrongOrder);
        Made { is_request, writable }
    }

    fn damage(&mut self, shape: Shape, descs: &mut [RawDesc]) {
        let count = descs.len() as u64;
        let at = self.random.below(count) as usize;
        match shape {
            Shape::Loop | Shape::IndirectLoop => {
                let last = descs.len() - 1;
                descs[last].flags |= NEXT;
                descs[last].next = self.random.below(count) as u16;
            }
            Shape::BadNext => {
                descs[at].flags |= NEXT;
                descs[at].next = self.random.pick(&[256, 257, 0x7fff, u16::MAX, 300]);
            }
            Shape::OddFlags => descs[at].flags |= self.random.pick(&[8, 0x80, 0x8000, 0xfff8]),
            Shape::Noise if self.random.once_in(2) => {
                descs[at].flags |= NEXT;
                descs[at].next = self.random.word() as u16;
            }
            _ => {}
        }
    }

    fn place_direct(&mut self, descs: &[RawDesc]) {
        for (index, desc) in descs.iter().enumerate() {
            self.queue.raw(index as u16, *desc);
        }
    }

    fn place_indirect(&mut self, shape: Shape, descs: &[RawDesc]) {
        let len = 16 * descs.len() as u32;
        let table = self.queue.buffer(len + 64);
        for (index, desc) in descs.iter().enumerate() {
            self.queue.raw_at(table + 16 * index as u64, *desc);
        }
        let mut head = RawDesc { addr: table, len, flags: INDIRECT, next: 0 };
        match shape {
            Shape::Nested if self.random.once_in(2) => {
                (head.flags, head.next) = (INDIRECT | NEXT, 1);
                self.queue.raw(1, descs[0]);
            }
            Shape::Nested => {
                let inner = self.queue.buffer(16);
                self.queue.raw_at(inner, RawDesc { flags: INDIRECT, ..head });
                (head.addr, head.len) = (inner, 16);
            }
            Shape::OddTable => {
                head.len = self.random.pick(&[0, 1, 15, 17, len - 1, len + 1, 16 * 0x1_0000, u32::MAX, !15]);
            }
            Shape::TableOutOfMemory => head.addr = self.nowhere(),
            Shape::Indirect if self.random.once_in(2) => head.flags |= WRITE,
            _ => {}
        }
        self.queue.raw(0, head);
    }

    fn publish(&mut self, shape: Shape) {
        match shape {
            Shape::BadHead => {
                let head = self.random.pick(&[256, 257, 0x8000, u16::MAX]);
                self.queue.publish(head);
            }
            Shape::BadIndex => {
                let index = self.random.pick(&[0u16, 300, 0x4000, 0x8000, u16::MAX, 258]);
                self.queue.set_avail_index(index);
            }
            Shape::Twice => {
                self.queue.publish(0);
                self.queue.publish(0);
            }
            _ => self.queue.publish(0),
        }
    }
}

fn linked(parts: &[Part]) -> Vec<RawDesc> {
    let link = |(n, (addr, len, flags)): (usize, &Part)| match n + 1 < parts.len() {
        true => RawDesc { addr: *addr, len: *len, flags: flags | NEXT, next: n as u16 + 1 },
        false => RawDesc { addr: *addr, len: *len, flags: *flags, next: 0 },
    };
    parts.iter().enumerate().map(link).collect()
}
