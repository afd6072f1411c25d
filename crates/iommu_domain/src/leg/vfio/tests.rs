//! What can be said without a host IOMMU: each call reaches the kernel, and the kernel's own answer comes back.

use std::cell::Cell;
use std::fs::File;

use base::{CallId, FaultPlan, GuestRam, HostMemory};

use super::*;

const ENOTTY: i32 = 25;
const EUCLEAN: i32 = 117;

#[test]
fn errors_come_back_as_the_kernel_says_them_and_calls_take_time() {
    // A descriptor that answers ENOTTY to every call.
    let container = Arc::new(Container::from_fd(File::open("/dev/null").unwrap().into()));
    let host = VfioHost::new(container, Box::new(|| Ok(())));
    let ram = GuestRam::new(&[Span::from_len(0, 0x2000).unwrap()]).unwrap();
    let (page, memory) = HostMemory::of_ram(&ram).pop().unwrap();
    let slice = || memory.slice(0, 0x2000).unwrap();
    type Call<'a> = &'a dyn Fn() -> io::Result<()>;
    let calls: [(CallId, Call<'_>); 3] = [
        (CallId::Type1Map, &|| host.map(page, slice(), Perm::READ)),
        (CallId::Type1Unmap, &|| host.unmap(page).map(drop)),
        (CallId::Type1UnmapAll, &|| host.unmap_all().map(drop)),
    ];
    for (id, call) in calls {
        let before = host.time();
        assert_eq!(call().unwrap_err().raw_os_error(), Some(ENOTTY), "{id:?}");
        assert!(host.time() > before, "{id:?}");
        let _plan = FaultPlan::arm(id, 0, 1, EUCLEAN);
        assert_eq!(call().unwrap_err().raw_os_error(), Some(EUCLEAN), "{id:?}");
    }
    assert_eq!(host.available(), None);
}

#[test]
fn of_many_short_calls_one_is_timed_for_sixteen_and_long_ones_are_timed_each() {
    let container = Arc::new(Container::from_fd(File::open("/dev/null").unwrap().into()));
    let host = VfioHost::new(container, Box::new(|| Ok(())));
    let span = |bytes| Span::from_len(0, bytes).unwrap();
    let is_timed = |bytes| {
        let before = host.time();
        assert!(host.unmap(span(bytes)).is_err());
        host.time() > before
    };
    assert!((0..FIRST).all(|_| is_timed(0x1000)), "few calls are timed each");
    for round in 0..3 {
        let before = host.time();
        let timed = (0..STANDS_FOR).filter(|_| is_timed(SHORT)).count();
        assert_eq!(timed, 1, "round {round}");
        let counted = (host.time() - before).as_nanos();
        assert!(
            counted.is_multiple_of(STANDS_FOR.into()),
            "round {round}: {counted} ns are no sixteen times"
        );
    }
    assert!((0..2 * STANDS_FOR).all(|_| is_timed(SHORT + 0x1000)), "a long call stands for no other");
}

#[test]
fn a_reset_is_carried_out_by_whoever_holds_the_devices() {
    let container = Arc::new(Container::from_fd(File::open("/dev/null").unwrap().into()));
    let asked = Cell::new(0);
    let reset = move || {
        asked.set(asked.get() + 1);
        if asked.get() == 1 { Ok(()) } else { Err(io::Error::from_raw_os_error(EUCLEAN)) }
    };
    let host = VfioHost::new(container, Box::new(reset));
    assert!(host.reset_devices().is_ok());
    assert_eq!(host.reset_devices().unwrap_err().raw_os_error(), Some(EUCLEAN), "its failure is told");
}
