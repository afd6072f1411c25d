//! DMA faults in the log of the lab host's kernel, each with the address that the device used.
//!
//! Kernels print only so many at a time: a fault that is not in the log may have happened, one that is there did.

/// The lines that tell of a fault, each with its address where the kernel gives one.
pub fn faults(log: &str) -> Vec<String> {
    let lines: Vec<&str> = log.lines().collect();
    let told = lines.iter().enumerate().filter(|(_, line)| is_fault(line));
    told.map(|(at, line)| match dumped(&lines[at + 1..]) {
        Some(address) if address_in(line).is_none() => format!("{line} iova: {address:#x}"),
        _ => (*line).to_owned(),
    })
    .collect()
}

/// The address in a line of [`faults`].
pub fn address_in(line: &str) -> Option<u64> {
    let place = ["fault addr 0x", "iova: 0x"].iter().find_map(|name| Some(line.find(name)? + name.len()))?;
    let digits = line[place..].split(|c: char| !c.is_ascii_hexdigit()).next()?;
    u64::from_str_radix(digits, 16).ok()
}

/// The third of four words that an SMMU's driver prints below an event; others may have printed in between.
fn dumped(lines: &[&str]) -> Option<u64> {
    let word = |line: &&str| u64::from_str_radix(line.rsplit_once("\t0x")?.1.trim(), 16).ok();
    let own = lines.iter().filter(|line| line.contains("arm-smmu-v3"));
    let words: Vec<u64> = own.take(4).map_while(word).collect();
    (words.len() == 4).then(|| words[2])
}

/// Whether a line of the host's kernel tells of a DMA fault (not of the IOMMU's ordinary life).
fn is_fault(line: &str) -> bool {
    let intel = line.contains("DMAR:")
        && ["fault", "DMA Read", "DMA Write", "INTR-REMAP"].iter().any(|part| line.contains(part));
    let arm = line.contains("arm-smmu-v3") && line.contains("event");
    intel || arm || line.contains("AMD-Vi: Event logged")
}

#[cfg(test)]
mod tests;
