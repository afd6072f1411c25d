//! Each leg's share of what the host lets be locked.

use std::sync::Arc;

use super::*;
use crate::{EndpointSpec, Iommu, IommuConfig, Leg, Mapping, Perm, SoftLeg, SoftTable};

fn bench_of(pages: u64) -> Bench {
    with(IommuConfig { lockable: pages * PAGE, ..config() }, 40)
}

#[test]
fn a_device_cannot_lock_more_than_its_share_whatever_it_maps() {
    let mut bench = bench_of(8);
    bench.put_bar(Some(PLACES[0]));
    bench.iommu.attach(8, 1, false).unwrap();
    bench.iommu.attach(16, 2, false).unwrap();
    for at in [0, 10] {
        bench.map(1, pages(at, 4), 0).unwrap(); // The same pages count twice.
    }
    let calls = bench.hosts[0].calls();
    let refusal = bench.map(1, pages(20, 1), 0).unwrap_err();
    assert!(matches!(refusal, Refusal::Locked { domain: 1, cap: 0x8000 }), "{refusal}");
    assert_eq!(bench.hosts[0].calls(), calls, "the host is not asked");
    bench.map(1, pages(20, 1), PLACES[0]).unwrap(); // A BAR is not locked,
    bench.map(1, pages(21, 1), PLACES[0]).unwrap();
    bench.iommu.map(1, Mapping { iova: pages(22, 1), phys: 0, perm: Perm::NONE }).unwrap(); // nor what nobody holds.
    bench.map(2, pages(0, 8), 0).unwrap();
    bench.iommu.unmap(1, pages(21, 1)).unwrap();
    bench.map(1, pages(24, 1), 0).unwrap_err();
    bench.put_bar(None);
    bench.iommu.unmap(1, pages(10, 11)).unwrap(); // Four pages of RAM, one of the BAR.
    bench.map(1, pages(10, 5), 0).unwrap_err();
    bench.map(1, pages(10, 4), 0).unwrap();
    bench.put_bar(Some(PLACES[0]));
    bench.iommu.unmap(1, Span::ALL).unwrap();
    bench.map(1, pages(0, 9), 0).unwrap_err();
    bench.map(1, pages(0, 8), 0).unwrap();
    bench.assert_equal();
}

#[test]
fn a_domain_filled_for_an_emulated_device_is_no_place_for_one_that_pins_more_than_its_share() {
    let ram = base::GuestRam::new(&[pages(0, 64)]).unwrap();
    let phys = Arc::new(crate::PhysMap::new(base::HostMemory::of_ram(&ram)).unwrap());
    let limits = crate::testing::FakeLimits { granule: PAGE, allowed: vec![Span::ALL], entries: 40 };
    let host = crate::testing::FakeHost::new(limits).unwrap();
    let soft = SoftLeg::new("soft".into(), Arc::new(SoftTable::default()));
    let legs: Vec<Box<dyn Leg>> = vec![Box::new(soft), Box::new(host.leg("hard"))];
    let endpoint = |id, leg| EndpointSpec { id, leg: Some(leg), reserved: Vec::new() };
    let config = IommuConfig { lockable: 4 * PAGE, ..config() };
    let mut iommu = Iommu::new(config, phys, legs, vec![endpoint(8, 0), endpoint(16, 1)]);
    let map =
        |iommu: &mut Iommu, at| iommu.map(1, Mapping { iova: pages(at, 4), phys: 0, perm: Perm::READ_WRITE });
    iommu.attach(8, 1, false).unwrap();
    map(&mut iommu, 0).unwrap();
    map(&mut iommu, 10).unwrap();
    assert!(matches!(iommu.attach(16, 1, false), Err(Refusal::Locked { .. })));
    assert!(host.calls() == 0 && iommu.report().endpoints[1].domain.is_none());
    iommu.unmap(1, pages(10, 4)).unwrap();
    iommu.attach(16, 1, false).unwrap();
    map(&mut iommu, 10).unwrap_err();
    assert_eq!(host.mappings().len(), 1);
}
