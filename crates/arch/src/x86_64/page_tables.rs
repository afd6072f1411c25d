//! The page tables the guest starts with: the first 4 GiB one to one, in 2 MiB pages.

/// Where the tables lie: one page for each of the two upper levels, four for the lowest.
pub const ADDRESS: u64 = 0x9000;

const PAGE: u64 = 4096;
const GIBS: u64 = 4;
const ENTRIES: u64 = 512;
const PRESENT_WRITABLE: u64 = 3;
const LARGE: u64 = 1 << 7;

/// The tables' bytes, to be written at [`ADDRESS`], which is also the value of CR3.
pub fn bytes() -> Vec<u8> {
    let upper = ADDRESS + PAGE;
    let lower = upper + PAGE;
    let top = page((upper | PRESENT_WRITABLE).to_le_bytes().to_vec());
    let middle =
        page((0..GIBS).flat_map(|i| ((lower + i * PAGE) | PRESENT_WRITABLE).to_le_bytes()).collect());
    let pages = (0..GIBS * ENTRIES).flat_map(|i| ((i << 21) | PRESENT_WRITABLE | LARGE).to_le_bytes());
    top.into_iter().chain(middle).chain(pages).collect()
}

fn page(mut entries: Vec<u8>) -> Vec<u8> {
    entries.resize(PAGE as usize, 0);
    entries
}

#[cfg(test)]
mod tests;
