use virtio_iommu_spec::{FaultFlags, FaultReason};

use super::*;

#[test]
fn what_the_product_encodes_is_read_back_and_nothing_else_is() {
    let (endpoint, address) = (0x18, 0x40_0000_1200);
    let encoded = |reason, flags| {
        let flags = FaultFlags(flags);
        virtio_iommu_spec::Fault { reason, flags, endpoint, address }.encode()
    };
    for (flags, write) in [(READ | ADDRESS, false), (WRITE | ADDRESS, true)] {
        let fault = Fault::decode(&encoded(FaultReason::Mapping, flags)).unwrap();
        assert_eq!(fault, Fault { endpoint, address, write });
    }
    let wrong = [
        (FaultReason::Unknown, READ | ADDRESS),
        (FaultReason::Mapping, READ),
        (FaultReason::Mapping, READ | WRITE | ADDRESS),
    ];
    for (reason, flags) in wrong {
        assert!(Fault::decode(&encoded(reason, flags)).is_err(), "{reason:?} {flags:#x}");
    }
    assert!(Fault::decode(&encoded(FaultReason::Mapping, READ | ADDRESS)[..20]).is_err());
}
