//! What can be said of a container without a host IOMMU: faults, and descriptors that are none.

use std::fs::File;
use std::io;

use base::{CallId, FaultPlan};
use data_model::Span;

use super::{Container, DmaPerm, halves};

/// A descriptor that answers ENOTTY to every call.
fn no_container() -> Container {
    Container::from_fd(File::open("/dev/null").unwrap().into())
}

fn map(container: &Container) -> io::Result<()> {
    let iova = Span::from_len(0x1000, 0x1000).unwrap();
    // SAFETY: the descriptor is no container, so nothing is ever mapped.
    unsafe { container.map_dma(iova, 0x7000, DmaPerm::READ) }
}

#[test]
fn an_armed_fault_fails_the_call_before_the_kernel_sees_it() {
    let container = no_container();
    let page = Span::from_len(0, 0x1000).unwrap();
    type Call<'a> = &'a dyn Fn() -> io::Result<()>;
    let calls: [(CallId, Call<'_>); 3] = [
        (CallId::Type1Map, &|| map(&container)),
        (CallId::Type1Unmap, &|| container.unmap_dma(page).map(drop)),
        (CallId::Type1UnmapAll, &|| container.unmap_all().map(drop)),
    ];
    for (id, call) in calls {
        let plan = FaultPlan::arm(id, 0, 1, libc::EUCLEAN);
        assert_eq!(call().unwrap_err().raw_os_error(), Some(libc::EUCLEAN), "{id:?}");
        assert_eq!(call().unwrap_err().raw_os_error(), Some(libc::ENOTTY), "{id:?}");
        drop(plan);
    }
}

#[test]
fn the_whole_address_space_cannot_be_one_mapping() {
    // SAFETY: the descriptor is no container, so nothing is ever mapped.
    let result = unsafe { no_container().map_dma(Span::ALL, 0, DmaPerm::WRITE) };
    assert_eq!(result.unwrap_err().raw_os_error(), Some(libc::EOVERFLOW));
}

#[test]
fn without_a_call_for_everything_two_ranges_leave_out_the_last_granule_alone() {
    for granule in [0x1000, 0x1_0000, 1 << 30] {
        let [low, high] = halves(granule).map(|(iova, size)| Span::from_len(iova, size).unwrap());
        assert_eq!((low.start(), low.next()), (0, Some(high.start())));
        assert_eq!(
            high.next(),
            Some(granule.wrapping_neg()),
            "old kernels find nothing in a range that ends with the space"
        );
    }
}

#[test]
fn the_permission_reaches_the_kernel_as_given() {
    assert_eq!([DmaPerm::READ, DmaPerm::WRITE, DmaPerm::READ_WRITE].map(DmaPerm::flags), [1, 2, 3]);
}
