//! The virtio-iommu device.
