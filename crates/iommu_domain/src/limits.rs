//! Caps on everything that a guest can make grow. Past a cap the answer is "no memory", and nothing changes.

/// Domains alive at once. A domain lives only while an endpoint is in it, so endpoints bound it too.
pub const MAX_DOMAINS: usize = 4096;

/// Mappings in one domain. An ordinary guest reaches 262,656 (1 GiB mapped page by page), so four times that.
pub const MAX_MAPPINGS: usize = 1 << 20;

/// Endpoints of one IOMMU: more would not fit the buses of one PCI segment.
pub const MAX_ENDPOINTS: usize = 1 << 16;
