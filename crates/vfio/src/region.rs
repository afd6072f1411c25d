//! A region of a device: what the kernel says about it.

use data_model::Span;
use vfio_bindings::bindings::vfio::{
    VFIO_REGION_INFO_CAP_MSIX_MAPPABLE, VFIO_REGION_INFO_CAP_SPARSE_MMAP, VFIO_REGION_INFO_FLAG_CAPS,
    VFIO_REGION_INFO_FLAG_MMAP, VFIO_REGION_INFO_FLAG_READ, VFIO_REGION_INFO_FLAG_WRITE,
};

use crate::InfoError;
use crate::capability::{HEADER, chain, long, word};

/// A region: a BAR, the ROM, or the configuration space.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegionInfo {
    /// Bytes; 0 when the device has no such region.
    pub size: u64,
    /// Where it starts in the device descriptor, in bytes.
    pub file_offset: u64,
    /// It can be read.
    pub readable: bool,
    /// It can be written.
    pub writable: bool,
    /// Parts that may be mapped, as offsets inside the region; empty when none. All lie inside `size`.
    pub mappable: Vec<Span>,
    /// The kernel allows to map the part with the MSI-X table too.
    pub msix_mappable: bool,
}

impl RegionInfo {
    /// Reads `struct vfio_region_info` and the capabilities behind it.
    ///
    /// # Errors
    /// An answer that is cut off, or whose chain does not end.
    pub fn parse(bytes: &[u8]) -> Result<RegionInfo, InfoError> {
        let flags = word(bytes, 4)?;
        let mut info = RegionInfo {
            size: long(bytes, 16)?,
            file_offset: long(bytes, 24)?,
            readable: flags & VFIO_REGION_INFO_FLAG_READ != 0,
            writable: flags & VFIO_REGION_INFO_FLAG_WRITE != 0,
            mappable: Vec::new(),
            msix_mappable: false,
        };
        let whole = Span::from_len(0, info.size);
        let mut areas: Vec<Span> = whole.into_iter().collect();
        let first = if flags & VFIO_REGION_INFO_FLAG_CAPS != 0 { word(bytes, 12)? } else { 0 };
        for (id, capability) in chain(bytes, first)? {
            match u32::from(id) {
                VFIO_REGION_INFO_CAP_SPARSE_MMAP => areas = sparse_areas(capability)?,
                VFIO_REGION_INFO_CAP_MSIX_MAPPABLE => info.msix_mappable = true,
                _ => {}
            }
        }
        if flags & VFIO_REGION_INFO_FLAG_MMAP != 0 {
            let inside = |area: &Span| whole.and_then(|whole| whole.intersection(area));
            info.mappable = areas.iter().filter_map(inside).collect();
        }
        Ok(info)
    }

    /// Where the access of `len` bytes at `offset` lies in the device descriptor; `None` when it leaves the region.
    pub fn place(&self, offset: u64, len: usize) -> Option<u64> {
        let access = Span::from_len(offset, len as u64)?;
        let inside = Span::from_len(0, self.size)?.covers(&access);
        if inside { self.file_offset.checked_add(offset) } else { None }
    }
}

/// The areas of the sparse capability: a count, a reserved word, then pairs of offset and size. Empty ones are skipped.
fn sparse_areas(capability: &[u8]) -> Result<Vec<Span>, InfoError> {
    let count = word(capability, HEADER)? as usize;
    let mut areas = Vec::new();
    for index in 0..count {
        let at = HEADER + 8 + index * 16;
        areas.extend(Span::from_len(long(capability, at)?, long(capability, at + 8)?));
    }
    Ok(areas)
}

#[cfg(test)]
mod tests;
