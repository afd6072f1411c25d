//! Configuration spaces of two kinds of device, and their BARs.

use data_model::Span;
use vfio::RegionInfo;

use crate::vfio_pci::capabilities::walk;

/// A device to be made.
#[derive(Clone)]
pub(crate) struct Image {
    pub config: Vec<u8>,
    /// Bytes of each BAR; 0 for none.
    pub bars: [u64; 6],
    pub msi: u32,
    pub msix: u32,
    pub resizable: bool,
}

impl Image {
    /// What the kernel says of a BAR: memory of at least a page may be mapped as a whole.
    pub fn region(&self, bar: usize) -> RegionInfo {
        let size = self.bars[bar];
        let is_io = self.config[0x10 + 4 * bar] & 1 != 0;
        let mappable = Span::from_len(0, size).filter(|_| size >= 4096 && !is_io).into_iter().collect();
        let file_offset = (bar as u64) << 20;
        RegionInfo { size, file_offset, readable: true, writable: true, mappable, msix_mappable: true }
    }

    /// Where a capability is, as the kernel finds it.
    pub fn find(&self, id: u8) -> Option<usize> {
        walk(&self.config).iter().find(|found| found.id == id).map(|found| found.at)
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.config[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn put_u32(&mut self, at: usize, word: u32) {
        self.put(at, &word.to_le_bytes());
    }
}

/// An NVMe-like device: one 64-bit BAR with registers, doorbells, MSI-X table and pending bits. PM at 0x40, hidden AGP at
/// 0x48, PCIe at 0x70, MSI-X (64 vectors) at 0xb0; extended AER, serial, SR-IOV, vendor.
pub(crate) const NVME: fn() -> Image = || {
    let mut image =
        Image { config: vec![0; 4096], bars: [0x4000, 0, 0, 0, 0, 0], msi: 0, msix: 64, resizable: true };
    image.put_u32(0x00, 0xa808_144d);
    image.put_u32(0x04, 0x0010_0406);
    image.put_u32(0x08, 0x0108_0200);
    image.put_u32(0x0c, 0x0000_0010);
    image.put_u32(0x10, 0xfe80_0004);
    image.put_u32(0x14, 0x0000_0071);
    image.put_u32(0x2c, 0xa801_144d);
    image.put(0x34, &[0x40]);
    image.put(0x3c, &[0x0b, 0x01]);
    image.put(0x40, &[0x01, 0x48, 0xc3, 0xff, 0x08, 0x00]);
    image.put(0x48, &[0x02, 0x70, 0x55, 0x55]);
    image.put(0x70, &[0x10, 0xb0, 0x92, 0x01]);
    image.put_u32(0x74, 0x1000_8fc1);
    image.put_u32(0x7c, 0x0047_7c43);
    image.put(0xb0, &[0x11, 0x00, 0x3f, 0x00]);
    image.put_u32(0xb4, 0x2000);
    image.put_u32(0xb8, 0x3000);
    image.put_u32(0x100, 0x1482_0001);
    image.put_u32(0x148, 0x1581_0003);
    image.put_u32(0x14c, 0x1122_3344);
    image.put_u32(0x158, 0x1a01_0010);
    image.put_u32(0x15c, 0x1234_5678);
    image.put_u32(0x1a0, 0x0001_000b);
    image.put_u32(0x1a4, 0x0100_0001);
    image
};

/// An e1000e-like device on a kernel that cannot add vectors: memory BARs 0, 1 and 3, ports in BAR 2; MSI-X (5 vectors) at
/// 0xa0, PM at 0xc8, MSI (64-bit, 4 maskable vectors) at 0xd0, PCIe version 1 at 0xe8. No extended space.
pub(crate) const E1000E: fn() -> Image = || {
    let mut image = Image {
        config: vec![0; 256],
        bars: [0x2_0000, 0x1_0000, 0x20, 0x4000, 0, 0],
        msi: 4,
        msix: 5,
        resizable: false,
    };
    image.put_u32(0x00, 0x10d3_8086);
    image.put_u32(0x04, 0x0010_0000);
    image.put_u32(0x08, 0x0200_0000);
    image.put_u32(0x10, 0xf7a0_0000);
    image.put_u32(0x14, 0xf7a2_0000);
    image.put_u32(0x18, 0x0000_e001);
    image.put_u32(0x1c, 0xf7a4_0008);
    image.put_u32(0x30, 0xf7b0_0001);
    image.put(0x34, &[0xc8]);
    image.put(0x3d, &[0x02]);
    image.put(0xc8, &[0x01, 0xd0, 0x22, 0xc8]);
    image.put(0xd0, &[0x05, 0xe8, 0x84, 0x01]);
    image.put(0xe8, &[0x10, 0xa0, 0x01, 0x00]);
    image.put(0xa0, &[0x11, 0x00, 0x04, 0x00]);
    image.put_u32(0xa4, 0x0003);
    image.put_u32(0xa8, 0x2003);
    image
};
