//! The boot parameters of the Linux boot protocol: one page that says what was loaded where.

use data_model::Span;

/// Where the page lies.
pub(super) const ADDRESS: u64 = 0x7000;

const PAGE: usize = 4096;
const RSDP: usize = 0x070;
const E820_COUNT: usize = 0x1e8;
const HEADER: usize = 0x1f1;
const BOOT_FLAG: usize = 0x1fe;
const MAGIC: usize = 0x202;
const LOADER: usize = 0x210;
const RAMDISK: usize = 0x218;
const RAMDISK_SIZE: usize = 0x21c;
const CMDLINE: usize = 0x228;
const E820: usize = 0x2d0;
const E820_ENTRY: usize = 20;
const E820_MOST: usize = 128;
const UNKNOWN_LOADER: u8 = 0xff;

/// What a range of the memory map is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Memory {
    /// RAM the kernel may use.
    Usable = 1,
    /// Anything it must not.
    Reserved = 2,
}

/// The page while it is being filled.
#[derive(Clone, Debug)]
pub(super) struct ZeroPage(Vec<u8>);

impl ZeroPage {
    /// A page for a kernel with this setup header: the bytes from offset 0x1f1 of its file on. Bytes past the header's own
    /// end are not taken.
    pub(super) fn new(header: &[u8]) -> ZeroPage {
        let mut page = ZeroPage(vec![0; PAGE]);
        let end = header.get(0x201 - HEADER).map_or(0, |jump| MAGIC + usize::from(*jump) - HEADER);
        page.put(HEADER, header.get(..end.min(E820 - HEADER)).unwrap_or(header));
        page.put(LOADER, &[UNKNOWN_LOADER]);
        page
    }

    /// A page for a kernel that has no setup header.
    pub(super) fn without_header() -> ZeroPage {
        let mut page = ZeroPage(vec![0; PAGE]);
        page.put(BOOT_FLAG, &0xaa55u16.to_le_bytes());
        page.put(MAGIC, b"HdrS");
        page.put(LOADER, &[UNKNOWN_LOADER]);
        page
    }

    /// Says where the command line is.
    pub(super) fn cmdline(&mut self, address: u32) {
        self.put(CMDLINE, &address.to_le_bytes());
    }

    /// Says where the initial RAM disk is: below 4 GiB.
    pub(super) fn initrd(&mut self, span: Span) {
        self.put(RAMDISK, &(span.start() as u32).to_le_bytes());
        self.put(RAMDISK_SIZE, &(span.len().unwrap_or(0) as u32).to_le_bytes());
    }

    /// Says where the ACPI tables start.
    pub(super) fn rsdp(&mut self, address: u64) {
        self.put(RSDP, &address.to_le_bytes());
    }

    /// Writes the memory map; it has at most 128 entries.
    pub(super) fn memory(&mut self, map: &[(Span, Memory)]) {
        for (i, (span, kind)) in map.iter().take(E820_MOST).enumerate() {
            let at = E820 + i * E820_ENTRY;
            self.put(at, &span.start().to_le_bytes());
            self.put(at + 8, &span.len().unwrap_or(u64::MAX).to_le_bytes());
            self.put(at + 16, &(*kind as u32).to_le_bytes());
        }
        self.put(E820_COUNT, &[map.len().min(E820_MOST) as u8]);
    }

    /// The page's bytes, to be written at [`ADDRESS`].
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        for (to, from) in self.0.iter_mut().skip(at).zip(bytes) {
            *to = *from;
        }
    }
}

#[cfg(test)]
mod tests;
