//! What a type 1 container says about its IOMMU, read from the bytes of `VFIO_IOMMU_GET_INFO`.

use data_model::{PageMask, Span};
use vfio_bindings::bindings::vfio::{
    VFIO_IOMMU_INFO_CAPS, VFIO_IOMMU_INFO_PGSIZES, VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE,
    VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL,
};

use crate::InfoError;
use crate::capability::{HEADER, chain, long, word};

/// The facts of a container. They change whenever a group is attached or leaves: read them again then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Type1Info {
    /// Page sizes that mappings may use; the smallest is the granule.
    pub page_sizes: PageMask,
    /// Addresses that may be mapped, in the kernel's order; `None` when it names no restriction.
    pub iova_ranges: Option<Vec<Span>>,
    /// Mappings that still fit; `None` when the kernel does not tell.
    pub dma_avail: Option<u32>,
}

impl Type1Info {
    /// Reads `struct vfio_iommu_type1_info` and the capabilities behind it.
    ///
    /// # Errors
    /// An answer that is cut off, loops, names a reversed range or no page size.
    pub fn parse(bytes: &[u8]) -> Result<Type1Info, InfoError> {
        let flags = word(bytes, 4)?;
        let sizes = if flags & VFIO_IOMMU_INFO_PGSIZES != 0 { long(bytes, 8)? } else { 0 };
        let page_sizes = PageMask::new(sizes).ok_or(InfoError::NoPageSize)?;
        let mut info = Type1Info { page_sizes, iova_ranges: None, dma_avail: None };
        let first = if flags & VFIO_IOMMU_INFO_CAPS != 0 { word(bytes, 16)? } else { 0 };
        for (id, capability) in chain(bytes, first)? {
            match u32::from(id) {
                VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE => info.iova_ranges = Some(ranges(capability)?),
                VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL => info.dma_avail = Some(word(capability, HEADER)?),
                _ => {}
            }
        }
        Ok(info)
    }
}

/// The ranges of the IOVA capability: a count, a reserved word, then pairs of first and last address.
fn ranges(capability: &[u8]) -> Result<Vec<Span>, InfoError> {
    let count = word(capability, HEADER)? as usize;
    let mut spans = Vec::new();
    for index in 0..count {
        let at = HEADER + 8 + index * 16;
        let (start, last) = (long(capability, at)?, long(capability, at + 8)?);
        spans.push(Span::new(start, last).ok_or(InfoError::Reversed { start, last })?);
    }
    Ok(spans)
}

#[cfg(test)]
mod tests;
