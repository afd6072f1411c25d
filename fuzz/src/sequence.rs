//! Sequences of requests, resets and host failures against the naive model of the suites.

use std::cell::OnceCell;

use arbitrary::{Result, Unstructured};
use suites::model::{CALLS, Fault, Op, Operation, Tally, replay};
use suites::world::{DOORBELL, FEATURES, HIGH_RAM, Memory, OWN, PAGE, RAM, Rules, WINDOW};
use virtio_iommu_spec::Request;

thread_local! {
    static MEMORY: OnceCell<Memory> = const { OnceCell::new() };
}

/// Plays the sequence that `data` describes.
pub fn sequence(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let Ok(rules) = rules(&mut input) else { return };
    let mut trace = Vec::new();
    while !input.is_empty() && trace.len() < 200 {
        let Ok(operation) = operation(&mut input, &rules) else { break };
        trace.push(operation);
    }
    MEMORY.with(|memory| {
        let memory = memory.get_or_init(Memory::new);
        if let Err(found) = replay(&rules, memory, &trace, &mut Tally::default()) {
            panic!("{rules:?}\n{:x?}\n{}", &trace[..=found.at], found.what);
        }
    });
}

fn rules(input: &mut Unstructured) -> Result<Rules> {
    let granule = *input.choose(&[PAGE, 0x4000, 0x1_0000])?;
    Ok(Rules {
        granule,
        input: *input.choose(&[(0, u64::MAX), (0, (1 << 39) - 1), (granule, HIGH_RAM + granule - 1)])?,
        entries: *input.choose(&[4, 6, 40])?,
        max_domains: *input.choose(&[2, 3, 9])?,
        max_mappings: *input.choose(&[3, 8, 30])?,
        doorbells: input.arbitrary()?,
        bypass: input.arbitrary()?,
        emulated: input.arbitrary()?,
    })
}

fn operation(input: &mut Unstructured, rules: &Rules) -> Result<Operation> {
    let kind: u8 = input.arbitrary()?;
    let op = match kind % 16 {
        0..3 => Op::Request(Request::Attach {
            domain: domain(input)?,
            endpoint: endpoint(input)?,
            flags: u32::from(kind & 0x80 != 0),
            reserved: u32::from(kind & 0x60 == 0x60),
        }),
        3 => Op::Request(Request::Detach { domain: domain(input)?, endpoint: endpoint(input)? }),
        4..9 => {
            let (virt_start, virt_end) = range(input, rules)?;
            let page = u64::from(input.int_in_range(0..=RAM / PAGE)?) * PAGE;
            let phys_start = *input.choose(&[page, HIGH_RAM + page, DOORBELL, page | 8])?;
            let flags = u32::from(input.arbitrary::<u8>()? & 15);
            Op::Request(Request::Map { domain: domain(input)?, virt_start, virt_end, phys_start, flags })
        }
        9..13 => {
            let (virt_start, virt_end) = if kind & 0x80 != 0 { (0, u64::MAX) } else { range(input, rules)? };
            let reserved = u32::from(kind & 0x60 == 0x60);
            Op::Request(Request::Unmap { domain: domain(input)?, virt_start, virt_end, reserved })
        }
        13 => Op::Bypass(kind >> 6),
        14 => Op::Request(Request::Probe { endpoint: endpoint(input)? }),
        _ if kind & 0x80 != 0 => Op::SystemReset(FEATURES),
        _ => Op::Reset(FEATURES & !(u64::from(kind & 0x70))),
    };
    let first = if kind & 0x10 != 0 { Some(fault(input)?) } else { None };
    let second = if kind & 0x30 == 0x30 { Some(fault(input)?) } else { None };
    let access = (endpoint(input)?, place(input, rules)?, kind & 0x40 != 0);
    Ok(Operation { op, faults: [first, second], access })
}

fn fault(input: &mut Unstructured) -> Result<Fault> {
    let byte: u8 = input.arbitrary()?;
    let errno = if byte & 1 != 0 { 5 } else { 12 };
    Ok(Fault {
        call: CALLS[usize::from(byte >> 6)],
        skip: usize::from(byte >> 3 & 3),
        times: 1 + usize::from(byte >> 1 & 3),
        errno,
    })
}

fn domain(input: &mut Unstructured) -> Result<u32> {
    Ok(*input.choose(&[0, 1, 2, u32::MAX])?)
}

fn endpoint(input: &mut Unstructured) -> Result<u32> {
    Ok(*input.choose(&[8, 9, 16, 24, 444])?)
}

fn place(input: &mut Unstructured, rules: &Rules) -> Result<u64> {
    let ends =
        [0, 1 << 32, rules.input.0, rules.input.1.wrapping_add(1), WINDOW.0, WINDOW.1 + 1, OWN.0, OWN.1 + 1];
    let offset = i64::from(input.arbitrary::<i8>()? >> 3);
    Ok(input.choose(&ends)?.wrapping_add(offset.wrapping_mul(rules.granule as i64) as u64))
}

fn range(input: &mut Unstructured, rules: &Rules) -> Result<(u64, u64)> {
    let first = place(input, rules)?;
    let len: u8 = input.arbitrary()?;
    let last = first.wrapping_add(rules.granule.wrapping_mul(u64::from(len & 7))).wrapping_sub(1);
    Ok(if len & 0xf8 == 0xf8 { (first ^ 1, last) } else { (first, last) })
}
