//! VIOT: which PCI functions are behind the virtual IOMMU.
//!
//! Written here and not by `acpi_tables`: its table says revision 1 where the layout is revision 0, and its checksum is wrong
//! from 256 nodes on, because it counts each node as one although the count is then carried into a second byte.

use acpi_tables::sdt::Sdt;
use data_model::Bdf;

use super::{OEM, OEM_REVISION, OEM_TABLE};
use crate::{TopologyError, ViommuShape};

const REVISION: u8 = 0;
const HEADER: u32 = 36;
const FIRST_NODE: u16 = 48;
const PCI_RANGE: u8 = 1;
const PCI_RANGE_LEN: u16 = 24;
const VIRTIO_PCI_IOMMU: u8 = 3;
const VIRTIO_PCI_IOMMU_LEN: u16 = 16;

/// The table: the IOMMU's node first, then one range of a single function for each endpoint, whose id is its BDF.
pub(super) fn bytes(viommu: &ViommuShape) -> Result<Vec<u8>, TopologyError> {
    let endpoints = viommu.sorted()?;
    // A BDF has 16 bits and one of them is the IOMMU's, so the count fits.
    let count = 1 + endpoints.len() as u16;
    let mut body = Vec::new();
    body.extend(count.to_le_bytes());
    body.extend(FIRST_NODE.to_le_bytes());
    body.extend([0; 8]);
    iommu(&mut body, viommu.iommu);
    endpoints.iter().for_each(|endpoint| range(&mut body, *endpoint));
    let mut table = Sdt::new(*b"VIOT", HEADER, REVISION, OEM, OEM_TABLE, OEM_REVISION);
    table.append_slice(&body);
    Ok(table.as_slice().to_vec())
}

fn iommu(body: &mut Vec<u8>, at: Bdf) {
    node(body, VIRTIO_PCI_IOMMU, VIRTIO_PCI_IOMMU_LEN);
    body.extend(0u16.to_le_bytes());
    body.extend(at.id().to_le_bytes());
    body.extend([0; 8]);
}

fn range(body: &mut Vec<u8>, endpoint: Bdf) {
    node(body, PCI_RANGE, PCI_RANGE_LEN);
    body.extend(u32::from(endpoint.id()).to_le_bytes());
    let (first_segment, last_segment) = (0u16, 0u16);
    for word in [first_segment, last_segment, endpoint.id(), endpoint.id(), FIRST_NODE] {
        body.extend(word.to_le_bytes());
    }
    body.extend([0; 6]);
}

fn node(body: &mut Vec<u8>, kind: u8, len: u16) {
    body.extend([kind, 0]);
    body.extend(len.to_le_bytes());
}
