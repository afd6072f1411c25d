//! What a processor says about itself: KVM's own proposal, with each processor's number and the topology put in.
//!
//! Every processor is a core of its own in one package, and its APIC id is its number.

use kvm_bindings::{KVM_CPUID_FLAG_SIGNIFCANT_INDEX, kvm_cpuid_entry2 as Entry};

/// What all processors of a machine share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Topology {
    /// Processors, at least 1.
    pub(crate) cpus: u32,
    /// Whether KVM has the TSC-deadline timer, which it leaves out of its proposal.
    pub(crate) tsc_deadline: bool,
}

const HTT: u32 = 1 << 28;
const X2APIC: u32 = 1 << 21;
const TSC_DEADLINE: u32 = 1 << 24;
const OSXSAVE: u32 = 1 << 27;
const HYPERVISOR: u32 = 1 << 31;
const CMP_LEGACY: u32 = 1 << 1;
/// Leaves with the topology by levels: Intel's old and new, and AMD's.
const LEVELS: [u32; 2] = [0xb, 0x1f];
const AMD_LEVELS: u32 = 0x8000_0026;

/// The table of processor `id`.
pub(crate) fn table(supported: &[Entry], id: u32, topology: Topology) -> Vec<Entry> {
    let amd = is_amd(supported);
    let max_leaf = find(supported, 0).map_or(0, |leaf| leaf.eax);
    let replaced = |leaf: u32| LEVELS.contains(&leaf) || leaf == AMD_LEVELS;
    let mut table: Vec<Entry> = supported.iter().filter(|e| !replaced(e.function)).copied().collect();
    for entry in &mut table {
        patch(entry, id, topology, amd);
    }
    for leaf in LEVELS {
        // Leaf 0x1f only where KVM knows it: it would be preferred over 0xb.
        let known = leaf == 0xb || supported.iter().any(|e| e.function == leaf);
        if known && leaf <= max_leaf {
            table.extend(levels(leaf, id, topology));
        }
    }
    table
}

/// Width of guest-physical addresses in bits.
pub(crate) fn phys_bits(supported: &[Entry]) -> u8 {
    let Some(leaf) = find(supported, 0x8000_0008) else { return 36 };
    let (own, guest) = (leaf.eax as u8, (leaf.eax >> 16) as u8);
    // Where the hypervisor cannot map all that the processor could address, it says so in the guest's field.
    if guest == 0 { own } else { own.min(guest) }
}

fn patch(entry: &mut Entry, id: u32, topology: Topology, amd: bool) {
    let cpus = topology.cpus;
    match entry.function {
        1 => {
            let logical = cpus.next_power_of_two().min(255);
            entry.ebx = (entry.ebx & 0xffff) | id << 24 | logical << 16;
            // OSXSAVE mirrors CR4, which KVM does by itself.
            entry.ecx = (entry.ecx | HYPERVISOR | X2APIC) & !(OSXSAVE | TSC_DEADLINE);
            if topology.tsc_deadline {
                entry.ecx |= TSC_DEADLINE;
            }
            entry.edx = if cpus > 1 { entry.edx | HTT } else { entry.edx & !HTT };
        }
        4 | 0x8000_001d if entry.eax & 0x1f != 0 => share_cache(entry, cpus, !amd),
        0x8000_0001 if amd && cpus > 1 => entry.ecx |= CMP_LEGACY,
        0x8000_0008 if amd => entry.ecx = (entry.ecx & !0xf0ff) | id_bits(cpus) << 12 | (cpus - 1).min(255),
        0x8000_001e => {
            // Extended APIC id; one thread in core `id`; one node.
            (entry.eax, entry.ebx, entry.ecx) = (id, id & 0xff, 0);
        }
        _ => {}
    }
}

/// Level 3 belongs to all processors, the others to one each.
fn share_cache(entry: &mut Entry, cpus: u32, cores: bool) {
    let ids = cpus.next_power_of_two();
    let level = entry.eax >> 5 & 7;
    let sharing = if level >= 3 { (ids - 1).min(0xfff) } else { 0 };
    entry.eax = (entry.eax & !(0xfff << 14)) | sharing << 14;
    if cores {
        entry.eax = (entry.eax & !(0x3f << 26)) | (ids - 1).min(0x3f) << 26;
    }
}

/// Threads (one to a core), cores (all in a package), end.
fn levels(leaf: u32, id: u32, topology: Topology) -> [Entry; 3] {
    let level = |index, shift, count, kind: u32| Entry {
        function: leaf,
        index,
        flags: KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
        eax: shift,
        ebx: count,
        ecx: kind << 8 | index,
        edx: id,
        ..Default::default()
    };
    [level(0, 0, 1, 1), level(1, id_bits(topology.cpus), topology.cpus, 2), level(2, 0, 0, 0)]
}

/// Bits that tell `cpus` processors apart.
fn id_bits(cpus: u32) -> u32 {
    cpus.next_power_of_two().trailing_zeros()
}

fn find(table: &[Entry], function: u32) -> Option<&Entry> {
    table.iter().find(|entry| entry.function == function)
}

fn is_amd(table: &[Entry]) -> bool {
    let amd = [*b"AuthenticAMD", *b"HygonGenuine"];
    find(table, 0).is_some_and(|leaf| {
        let vendor: Vec<u8> =
            [leaf.ebx, leaf.edx, leaf.ecx].iter().flat_map(|word| word.to_le_bytes()).collect();
        amd.iter().any(|name| name[..] == vendor[..])
    })
}

#[cfg(test)]
mod tests;
