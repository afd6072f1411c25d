//! The setup header of a bzImage: what the kernel says about itself, as it is in the file.

/// Bytes of the file's start that hold the header, and enough to tell other formats.
pub(super) const HEAD: u64 = 0x290;

const START: usize = 0x1f1;
const MAGIC: usize = 0x202;
const PROTOCOL_2_12: u16 = 0x020c;
const ENTRY_64: u16 = 1;

/// A header whose fields up to protocol 2.12 are there.
pub(super) struct SetupHeader<'a>(&'a [u8]);

impl<'a> SetupHeader<'a> {
    /// The header in the first bytes of a file; `None` when the file is no bzImage.
    pub(super) fn find(head: &'a [u8]) -> Option<SetupHeader<'a>> {
        let magic = head.get(MAGIC..MAGIC + 4)?;
        (magic == b"HdrS" && head.len() as u64 == HEAD).then_some(SetupHeader(head))
    }

    /// Whether the kernel can be entered in 64-bit mode.
    pub(super) fn has_64_bit_entry(&self) -> bool {
        self.word(0x206) >= PROTOCOL_2_12 && self.word(0x236) & ENTRY_64 != 0
    }

    /// The last byte of RAM the kernel touches before it knows the memory map, when its file of `size` bytes is loaded at
    /// `at`; the end of the address space when the header is nonsense.
    pub(super) fn last_needed(&self, at: u64, size: u64) -> u64 {
        let run = self.quad(0x258).max(at).checked_add(self.long(0x260).into());
        let file = at.checked_add(size);
        run.zip(file).map_or(u64::MAX, |(run, file)| run.max(file).saturating_sub(1))
    }

    /// The longest command line it reads, in bytes without the terminating zero.
    pub(super) fn cmdline_limit(&self) -> usize {
        self.long(0x238) as usize
    }

    /// The last address the initial RAM disk may have.
    pub(super) fn initrd_last(&self) -> u64 {
        self.long(0x22c).into()
    }

    /// The header as the boot parameters want it.
    pub(super) fn bytes(&self) -> &[u8] {
        self.0.get(START..).unwrap_or(&[])
    }

    fn word(&self, at: usize) -> u16 {
        u16::from_le_bytes(self.field(at))
    }

    fn long(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.field(at))
    }

    fn quad(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.field(at))
    }

    fn field<const N: usize>(&self, at: usize) -> [u8; N] {
        self.0.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
    }
}

/// What a file that is no x86 kernel looks like.
pub(super) fn guess(head: &[u8]) -> &'static str {
    if head.get(56..60) == Some(b"ARM\x64") {
        "a kernel for aarch64"
    } else if head.starts_with(&[0x1f, 0x8b]) {
        "a gzip file (decompress it)"
    } else if head.is_empty() {
        "empty"
    } else {
        "of an unknown format"
    }
}
