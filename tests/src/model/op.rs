//! Operations and how they are made up.

use base::CallId;
use virtio_iommu_spec::Request;

use crate::Random;
use crate::world::{DOORBELL, FEATURES, HIGH_RAM, OWN, PAGE, RAM, Rules, WINDOW};

/// Something that happens to the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// A request of the driver.
    Request(Request),
    /// Bytes that are no request: a type, and how many.
    Garbage(u8, usize),
    /// A write to `bypass` in the configuration.
    Bypass(u8),
    /// A device reset, after which these features are negotiated.
    Reset(u64),
    /// A reset of the machine, likewise.
    SystemReset(u64),
}

/// A host call that is made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which.
    pub call: CallId,
    /// Calls of this kind that pass before.
    pub skip: usize,
    /// Calls that fail then.
    pub times: usize,
    /// The kernel's answer.
    pub errno: i32,
}

/// An operation, perhaps with faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// What happens.
    pub op: Op,
    /// What fails meanwhile.
    pub faults: [Option<Fault>; 2],
    /// An access to translate afterwards: endpoint, address, whether it writes.
    pub access: (u32, u64, bool),
}

/// The calls that a container's leg makes.
pub const CALLS: [CallId; 4] =
    [CallId::Type1Map, CallId::Type1Unmap, CallId::Type1UnmapAll, CallId::DeviceReset];

/// The rules and operations of a seed.
pub fn trace(seed: u64, len: u64) -> (Rules, Vec<Operation>) {
    let mut random = Random::new(seed);
    let rules = rules(&mut random);
    // A third of the traces have no faults, so that quarantine does not hide anything.
    let faults = !random.once_in(3);
    let operations = (0..len).map(|_| operation(&mut random, &rules, faults)).collect();
    (rules, operations)
}

fn rules(random: &mut Random) -> Rules {
    let granule = random.pick(&[PAGE, PAGE, PAGE, 0x4000, 0x1_0000]);
    let input = random.pick(&[
        (0, u64::MAX),
        (0, (1 << 39) - 1),
        (granule, (1 << 48) - granule - 1),
        (0, HIGH_RAM + granule - 1),
    ]);
    Rules {
        granule,
        input,
        entries: random.pick(&[4, 6, 40]),
        max_domains: random.pick(&[2, 3, 9]),
        max_mappings: random.pick(&[3, 8, 30]),
        doorbells: random.once_in(2),
        bypass: random.once_in(2),
        emulated: random.once_in(2),
    }
}

fn operation(random: &mut Random, rules: &Rules, faults: bool) -> Operation {
    let op = op(random, rules);
    let first = (faults && random.once_in(8)).then(|| fault(random));
    let second = (first.is_some() && random.once_in(3)).then(|| fault(random));
    let access =
        (endpoint(random), place(random, rules).wrapping_add(random.below(2 * PAGE)), random.once_in(2));
    Operation { op, faults: [first, second], access }
}

fn fault(random: &mut Random) -> Fault {
    Fault {
        call: random.pick(&CALLS),
        skip: random.pick(&[0, 0, 0, 1, 1, 2, 3]),
        times: 1 + random.below(3) as usize,
        errno: random.pick(&[5, 12, 28, 22, 17]),
    }
}

fn endpoint(random: &mut Random) -> u32 {
    random.pick(&[8, 8, 8, 9, 9, 16, 16, 16, 16, 24, 24, 24, 24, 444])
}

fn domain(random: &mut Random) -> u32 {
    random.pick(&[0, 0, 0, 1, 1, 1, 1, u32::MAX])
}

fn features(random: &mut Random) -> u64 {
    if random.once_in(10) { FEATURES & random.word() } else { FEATURES }
}

/// Zero, or now and then a bit.
fn rarely(random: &mut Random, one_in: u64) -> u32 {
    if random.once_in(one_in) { 1 << random.below(32) } else { 0 }
}

fn op(random: &mut Random, rules: &Rules) -> Op {
    match random.below(64) {
        0..10 => Op::Request(Request::Attach {
            domain: domain(random),
            endpoint: endpoint(random),
            flags: if random.once_in(5) { 1 } else { rarely(random, 30) },
            reserved: rarely(random, 30),
        }),
        10..14 => Op::Request(Request::Detach { domain: domain(random), endpoint: endpoint(random) }),
        14..42 => Op::Request(map(random, rules)),
        42..56 => Op::Request(unmap(random, rules)),
        56..58 => Op::Request(Request::Probe { endpoint: endpoint(random) }),
        58..60 => Op::Garbage(random.word() as u8, random.below(73) as usize),
        60..62 => Op::Bypass(random.pick(&[0, 1, 0, 1, 2, 255])),
        62 if random.once_in(2) => Op::Reset(features(random)),
        63 if random.once_in(4) => Op::SystemReset(features(random)),
        _ => Op::Request(map(random, rules)),
    }
}

/// An address near a place where something ends: on the granule.
fn place(random: &mut Random, rules: &Rules) -> u64 {
    let ends = [
        0,
        0,
        0,
        1 << 32,
        rules.input.0,
        rules.input.1.wrapping_add(1),
        WINDOW.0,
        WINDOW.1 + 1,
        OWN.0,
        OWN.1 + 1,
        u64::MAX - rules.granule + 1,
    ];
    let offset = random.below(8).wrapping_sub(random.below(4)).wrapping_mul(rules.granule);
    let end = random.pick(&ends);
    end.wrapping_add(if end == 0 { offset & (0xf * rules.granule) } else { offset })
}

/// Both ends of a range: mostly whole granules, sometimes not, rarely reversed.
fn range(random: &mut Random, rules: &Rules) -> (u64, u64) {
    let first = place(random, rules);
    let len = rules.granule * (1 + random.below(3));
    let last = first.wrapping_add(len - 1);
    match random.below(48) {
        0 => (first.wrapping_add(1 << random.below(12)), last),
        1 => (first, last.wrapping_sub(1 << random.below(12))),
        2 => (last, first),
        3 => (first, place(random, rules).wrapping_sub(1)),
        _ => (first, last),
    }
}

fn map(random: &mut Random, rules: &Rules) -> Request {
    let (virt_start, virt_end) = range(random, rules);
    let within = rules.granule * random.below(RAM / rules.granule + 1);
    let mut phys_start = random.pick(&[within, within, HIGH_RAM + within, DOORBELL, RAM - rules.granule]);
    if random.once_in(40) {
        phys_start =
            random.pick(&[phys_start + 8, 0u64.wrapping_sub(rules.granule), HIGH_RAM - PAGE, u64::MAX]);
    }
    let flags = random.pick(&[3, 3, 3, 1, 2, 0, 7]) | rarely(random, 40);
    Request::Map { domain: domain(random), virt_start, virt_end, phys_start, flags }
}

fn unmap(random: &mut Random, rules: &Rules) -> Request {
    let (virt_start, virt_end) = match random.below(8) {
        0 => (0, u64::MAX),
        1 => (0, place(random, rules).wrapping_sub(1)),
        _ => range(random, rules),
    };
    Request::Unmap { domain: domain(random), virt_start, virt_end, reserved: rarely(random, 40) }
}
