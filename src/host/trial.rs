//! A real attach, undone at once: the only way to learn what the IOMMU driver will say.

use vfio::{Container, Group, VfioError};

use super::{Aperture, Trial};

/// Puts the group into a fresh container, reads what it can map, and takes it out again.
pub fn attach(number: u32) -> Trial {
    match try_attach(number) {
        Ok(aperture) => Trial::Attached(aperture),
        Err(VfioError::GroupBusy { .. }) => Trial::Busy,
        Err(VfioError::GroupDenied { .. }) => Trial::Denied,
        Err(VfioError::Group { source, .. }) => match source.raw_os_error() {
            Some(errno) => Trial::GroupRefused(errno),
            None => Trial::Failed(source.to_string()),
        },
        Err(VfioError::SetIommu { source }) => match source.raw_os_error() {
            Some(errno) => Trial::IommuRefused(errno),
            None => Trial::Failed(source.to_string()),
        },
        Err(error) => Trial::Failed(error.to_string()),
    }
}

fn try_attach(number: u32) -> Result<Aperture, VfioError> {
    let container = Container::open()?;
    let group = Group::open(number)?;
    group.attach(&container)?;
    container.set_iommu_type1v2()?;
    let info = container.info()?;
    let mut ranges = info.iova_ranges.unwrap_or_else(|| vec![data_model::Span::ALL]);
    ranges.sort_unstable();
    let aperture = Aperture { ranges, page_sizes: info.page_sizes, most_mappings: info.dma_avail };
    group.detach()?;
    Ok(aperture)
}
