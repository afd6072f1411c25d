//! Bytes of the wire format: what decodes encodes to the same, and nothing panics.

use virtio_iommu_spec::{MAX_REQUEST_SIZE, Property, Request, RequestKind, encode, properties};

/// Decodes `data` as a request and as a list of properties.
pub fn decode(data: &[u8]) {
    if let Ok(request) = virtio_iommu_spec::decode(data) {
        let mut again = [0; MAX_REQUEST_SIZE];
        let len = encode(&request, &mut again);
        assert_eq!(len, request.kind().size());
        assert!(data.len() >= len, "a request that is cut short");
        assert_eq!(virtio_iommu_spec::decode(&again[..len]), Ok(request));
        // Every byte that is not reserved comes back.
        let told = match request {
            Request::Detach { .. } => 12,
            Request::Probe { .. } => 8,
            _ => len,
        };
        assert_eq!((data[0], &data[4..told]), (again[0], &again[4..told]));
        assert!(RequestKind::ALL.contains(&request.kind()));
    }
    let mut count = 0;
    for property in properties(data) {
        count += 1;
        assert!(count * 4 <= data.len(), "a list longer than its bytes");
        if let Property::ResvMem(region) = property {
            assert!(region.span.start() <= region.span.last());
        }
    }
}
