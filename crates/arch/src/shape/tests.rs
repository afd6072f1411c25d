use super::*;

fn at(device: u8) -> Bdf {
    Bdf::new(0, device, 0).unwrap()
}

#[test]
fn endpoints_come_in_order_of_their_ids() {
    let shape = ViommuShape { iommu: at(1), endpoints: vec![at(5), Bdf::from_id(0x100), at(3)] };
    assert_eq!(shape.sorted().unwrap(), [at(3), at(5), Bdf::from_id(0x100)]);
}

#[test]
fn impossible_topologies_are_refused() {
    let far = Bdf::from_id(0x108);
    let cases = [
        (at(1), vec![at(2), at(1)], TopologyError::BehindItself(at(1))),
        (at(1), vec![at(2), at(3), at(2)], TopologyError::Twice(at(2))),
        (far, vec![at(2)], TopologyError::NotOnRootBus(far)),
    ];
    for (iommu, endpoints, want) in cases {
        assert_eq!(ViommuShape { iommu, endpoints }.sorted().unwrap_err(), want);
    }
}
