//! Descriptor tables of any content, served on this thread.

use std::cell::RefCell;
use std::sync::Arc;

use arbitrary::{Result, Unstructured};
use base::GuestMem;
use devices::virtio::testkit::{Bench, RawDesc, ram};
use devices::virtio::{F_EVENT_IDX, VirtioDevice};
use suites::world::{FEATURES, Memory, Rules, World};
use vm_memory::{Bytes, GuestAddress};

/// Bytes of guest memory: two areas of queues and a little more.
const MEMORY: u64 = 1 << 20;
/// Where the tables and buffers of the input lie.
const AREA: u64 = 0x9_0000;

struct Stage {
    world: World,
    mem: Arc<GuestMem>,
}

thread_local! {
    static STAGE: RefCell<Stage> = RefCell::new(Stage {
        world: World::new(&Rules::plain(), &Memory::new()),
        mem: ram(MEMORY),
    });
}

/// Fills a part of guest memory and the tables of both queues from `data`, and serves them.
pub fn chain(data: &[u8]) {
    STAGE.with_borrow_mut(|stage| {
        _ = play(stage, &mut Unstructured::new(data));
    });
}

fn play(stage: &mut Stage, input: &mut Unstructured) -> Result<()> {
    let options: u8 = input.arbitrary()?;
    let mut features = FEATURES;
    features |= if options & 1 != 0 { F_EVENT_IDX } else { 0 };
    let mut bench = Bench::new(stage.mem.clone(), &stage.world.device, features);
    for _ in 0..input.int_in_range(0..=24u8)? {
        let desc = descriptor(input)?;
        let at: u8 = input.arbitrary()?;
        match at {
            0..16 => bench.queues[0].raw(at.into(), desc),
            16..24 => bench.queues[1].raw((at - 16).into(), desc),
            _ => bench.queues[0].raw_at(AREA + u64::from(at & 0x1f) * 16, desc),
        }
    }
    for queue in 0..2 {
        for _ in 0..input.int_in_range(0..=6u8)? {
            let head: u8 = input.arbitrary()?;
            bench.queues[queue].publish(if head < 0xf0 {
                u16::from(head & 15)
            } else {
                u16::from(head) << 8
            });
        }
    }
    if options & 0xc0 == 0xc0 {
        bench.queues[0].set_avail_index(input.arbitrary()?);
    }
    // What is left is the content of the buffers.
    let rest = input.bytes(input.len().min(4096))?;
    bench.mem.write_slice(rest, GuestAddress(AREA + 0x400)).expect("the area is in memory");
    stage.world.device.serve_rings(bench.activation()).expect("events can be made");
    let mut given_back = 0;
    while let Some(used) = bench.queues[0].poll() {
        given_back += 1;
        assert!(used.len == 0 || used.len == 4 || used.len == 516, "used length {}", used.len);
        assert!(given_back <= 256, "more comes back than there is");
    }
    stage.world.device.reset();
    assert!(stage.world.hosts.iter().all(|host| host.mappings().is_empty()));
    Ok(())
}

fn descriptor(input: &mut Unstructured) -> Result<RawDesc> {
    let place: u8 = input.arbitrary()?;
    let addr = match place {
        0..0xc0 => AREA + u64::from(place) * 16,
        0xc0..0xe0 => MEMORY - 16 + u64::from(place & 0x1f),
        _ => input.arbitrary()?,
    };
    let size: u8 = input.arbitrary()?;
    let len = match size {
        0..0xc0 => u32::from(size),
        0xc0..0xe0 => u32::from(size & 0x1f) * 16,
        0xe0..0xf0 => 516,
        _ => input.arbitrary()?,
    };
    let bits: u8 = input.arbitrary()?;
    let flags = if bits & 0xf8 == 0xf8 { u16::from(bits) << 8 } else { u16::from(bits & 7) };
    Ok(RawDesc { addr, len, flags, next: u16::from(bits >> 3) & 15 })
}
