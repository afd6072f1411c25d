use std::io;
use std::sync::Arc;

use base::EventFd;
use sync::Mutex;

use super::{IrqError, IrqPlan, IrqRoutes, IrqSink};
use crate::msi::MsiGsi;
use crate::routes::{Route, Target, Wiring};

#[derive(Clone, Debug, PartialEq, Eq)]
enum Call {
    Routes(Vec<Route>),
    Attach(u32, bool),
    Detach(u32),
    Line(u32, bool),
}

/// Remembers what the kernel would have been asked, and refuses on demand.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<(Vec<Call>, bool)>>);

impl Recorder {
    fn record(&self, call: Call) -> io::Result<()> {
        let (calls, refuse) = &mut *self.0.lock();
        calls.push(call);
        if *refuse { Err(io::Error::from_raw_os_error(libc::EINVAL)) } else { Ok(()) }
    }

    fn refuse(&self, yes: bool) {
        self.0.lock().1 = yes;
    }

    /// The calls since the last time.
    fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.0.lock().0)
    }

    /// The MSI entries of the only table sent since the last time.
    fn table(&self, pins: u32) -> Vec<Route> {
        let calls = self.calls();
        let (Some(Call::Routes(routes)), None | Some(Call::Attach(..))) = (calls.first(), calls.get(1))
        else {
            panic!("{calls:?}")
        };
        routes.iter().filter(|route| route.gsi >= pins).copied().collect()
    }
}

impl IrqSink for Recorder {
    fn set_routes(&self, routes: &[Route]) -> io::Result<()> {
        self.record(Call::Routes(routes.to_vec()))
    }

    fn attach(&self, gsi: u32, _trigger: &EventFd, resample: Option<&EventFd>) -> io::Result<()> {
        self.record(Call::Attach(gsi, resample.is_some()))
    }

    fn detach(&self, gsi: u32, _trigger: &EventFd) -> io::Result<()> {
        self.record(Call::Detach(gsi))
    }

    fn set_line(&self, word: u32, level: bool) -> io::Result<()> {
        self.record(Call::Line(word, level))
    }
}

const PC: IrqPlan = IrqPlan { wiring: Wiring::Pc, limit: 4096, devids: false };
const GIC: IrqPlan = IrqPlan { wiring: Wiring::Gic { spis: 64 }, limit: 4096, devids: true };

fn dormant(plan: IrqPlan) -> (Arc<IrqRoutes>, Recorder) {
    let sink = Recorder::default();
    (IrqRoutes::new(Box::new(sink.clone()), plan), sink)
}

fn active(plan: IrqPlan) -> (Arc<IrqRoutes>, Recorder) {
    let (irqs, sink) = dormant(plan);
    irqs.activate().unwrap();
    sink.calls();
    (irqs, sink)
}

fn event() -> EventFd {
    EventFd::new(libc::EFD_NONBLOCK).unwrap()
}

#[test]
fn an_msi_lives_from_the_first_gsi_behind_the_pins_to_its_drop() {
    let (irqs, sink) = active(PC);
    let msi = irqs.alloc_msi(8).unwrap();
    assert!(sink.calls().is_empty(), "an event without a route must not reach the kernel");
    msi.route(0xfee0_1000, 0x41).unwrap();
    let target = Target::Msi { address: 0xfee0_1000, data: 0x41, devid: None };
    let mut table = Wiring::Pc.default_routes();
    table.push(Route { gsi: 24, target });
    assert_eq!(
        sink.calls(),
        [Call::Routes(table.clone()), Call::Attach(24, false)],
        "the route is there first"
    );
    drop(msi);
    assert_eq!(sink.calls(), [Call::Detach(24)]);
    let next = irqs.alloc_msi(8).unwrap();
    assert_eq!(next.gsi(), 24, "the number is free again");
    next.route(0xfee0_1000, 0x41).unwrap();
    assert_eq!(sink.calls(), [Call::Routes(table), Call::Attach(24, false)]);
}

#[test]
fn masking_and_unmasking_cost_one_system_call_each_and_no_change_none() {
    let (irqs, sink) = active(PC);
    let msi = irqs.alloc_msi(8).unwrap();
    msi.unroute().unwrap();
    assert!(sink.calls().is_empty());
    msi.route(0xfee0_0000, 1).unwrap();
    sink.calls();
    msi.route(0xfee0_0000, 1).unwrap();
    assert!(sink.calls().is_empty());
    for mask in [MsiGsi::unroute, MsiGsi::hold] {
        mask(&msi).unwrap();
        mask(&msi).unwrap();
        msi.route(0xfee0_0000, 1).unwrap();
        assert_eq!(sink.calls(), [Call::Detach(24), Call::Attach(24, false)]);
    }
    msi.route(0xfee0_0000, 2).unwrap();
    assert_eq!(sink.table(24).len(), 1);
}

#[test]
fn events_without_a_route_are_lost_and_events_on_hold_are_kept() {
    let (irqs, _sink) = active(PC);
    let msi = irqs.alloc_msi(8).unwrap();
    // The recorder reads no events, so what a route finds in the event is what KVM would deliver.
    let written = || msi.event().write(1).unwrap();
    let left = || msi.event().read().unwrap_or(0);
    written();
    msi.route(0xfee0_0000, 1).unwrap();
    assert_eq!(left(), 0);
    msi.unroute().unwrap();
    written();
    assert!(!msi.pending());
    msi.hold().unwrap();
    assert!(!msi.pending(), "came before the hold");
    written();
    assert!(msi.pending() && msi.pending());
    msi.route(0xfee0_0000, 1).unwrap();
    assert_eq!((msi.pending(), left()), (false, 1));
    msi.hold().unwrap();
    written();
    msi.unroute().unwrap();
    msi.route(0xfee0_0000, 1).unwrap();
    assert_eq!(left(), 0, "no longer kept");
}

#[test]
fn a_refused_table_leaves_the_old_route_in_place() {
    let (irqs, sink) = active(PC);
    let (one, two) = (irqs.alloc_msi(8).unwrap(), irqs.alloc_msi(8).unwrap());
    one.route(0xfee0_0000, 1).unwrap();
    sink.refuse(true);
    let refused = one.route(0xfee0_0000, 2);
    assert!(matches!(refused, Err(IrqError::Kvm { call: "KVM_SET_GSI_ROUTING", gsi: 24, .. })));
    let both = MsiGsi::route_all(&[(&one, (0xfee0_0000, 7)), (&two, (0xfee0_0000, 3))]);
    assert!(both.is_err());
    sink.refuse(false);
    sink.calls();
    one.route(0xfee0_0000, 1).unwrap();
    assert!(sink.calls().is_empty(), "the table still says what the kernel has");
    two.route(0xfee0_0000, 4).unwrap();
    let data: Vec<_> = sink.table(24).iter().map(|route| route.target).collect();
    let msi = |data| Target::Msi { address: 0xfee0_0000, data, devid: None };
    assert_eq!(data, [msi(1), msi(4)]);
}

#[test]
fn many_vectors_are_routed_with_one_table() {
    let (irqs, sink) = active(PC);
    let msis: Vec<_> = (0..64).map(|_| irqs.alloc_msi(8).unwrap()).collect();
    let changes: Vec<_> = msis.iter().map(|msi| (msi, (0xfee0_0000, msi.gsi()))).collect();
    MsiGsi::route_all(&changes).unwrap();
    let calls = sink.calls();
    assert!(matches!(&calls[0], Call::Routes(routes) if routes.len() == 38 + 64));
    assert!(calls.len() == 65 && calls[1..].iter().all(|call| matches!(call, Call::Attach(..))));
    MsiGsi::route_all(&changes).unwrap();
    assert!(sink.calls().is_empty());
}

#[test]
fn the_table_never_outgrows_the_kernel() {
    for (plan, want) in [
        (IrqPlan { limit: 41, ..PC }, 3), // 15 PIC and 23 IOAPIC entries
        (IrqPlan { limit: 64, ..GIC }, 0),
        (IrqPlan { limit: 66, ..GIC }, 2),
        (IrqPlan { limit: 4, ..PC }, 0),
    ] {
        let (irqs, sink) = active(plan);
        let msis: Vec<_> = (0..want).map(|_| irqs.alloc_msi(0).unwrap()).collect();
        assert!(matches!(irqs.alloc_msi(0), Err(IrqError::NoGsi { limit }) if limit == want), "{plan:?}");
        sink.calls();
        for msi in &msis {
            msi.route(0, msi.gsi()).unwrap();
        }
        let calls = sink.calls();
        let tables =
            calls.iter().filter_map(|call| if let Call::Routes(routes) = call { Some(routes) } else { None });
        let fits = |routes: &Vec<Route>| {
            routes.len() <= plan.limit as usize && routes.iter().all(|route| route.gsi < plan.limit)
        };
        assert!(tables.map(fits).filter(|fits| *fits).count() == want as usize, "{plan:?}");
    }
}

#[test]
fn a_number_whose_event_could_not_be_taken_back_is_not_used_again() {
    let (irqs, sink) = active(PC);
    let msi = irqs.alloc_msi(0).unwrap();
    msi.route(0xfee0_0000, 1).unwrap();
    sink.refuse(true);
    drop(msi);
    sink.refuse(false);
    assert_eq!(irqs.alloc_msi(0).unwrap().gsi(), 25);
}

#[test]
fn a_refused_event_is_tied_at_the_next_try() {
    let (irqs, sink) = active(PC);
    let msi = irqs.alloc_msi(0).unwrap();
    msi.route(0xfee0_0000, 1).unwrap();
    msi.unroute().unwrap();
    sink.refuse(true);
    assert!(matches!(msi.route(0xfee0_0000, 1), Err(IrqError::Kvm { call: "KVM_IRQFD", .. })));
    sink.refuse(false);
    sink.calls();
    msi.route(0xfee0_0000, 1).unwrap();
    assert_eq!(sink.calls(), [Call::Attach(24, false)]);
}

#[test]
fn a_gic_gets_device_ids_or_spis() {
    let (irqs, sink) = active(GIC);
    let msi = irqs.alloc_msi(0x10).unwrap();
    sink.calls();
    msi.route(0x0809_0040, 5).unwrap();
    let want = Target::Msi { address: 0x0809_0040, data: 5, devid: Some(0x10) };
    assert_eq!(sink.table(64), [Route { gsi: 64, target: want }]);
    msi.route_spi(40).unwrap();
    assert_eq!(sink.table(64), [Route { gsi: 64, target: Target::Pin { chip: 0, pin: 40 } }]);
    assert!(matches!(msi.route_spi(64), Err(IrqError::NoSuchLine { gsi: 64, .. })));
    let (pc, _sink) = active(PC);
    assert!(pc.alloc_msi(0).unwrap().route_spi(4).is_err());
}

#[test]
fn a_shared_line_is_high_while_anybody_pulls() {
    let (irqs, sink) = active(PC);
    let (one, two) = (irqs.line(10).unwrap(), irqs.line(10).unwrap());
    one.set(true).unwrap();
    one.set(true).unwrap();
    two.set(true).unwrap();
    one.set(false).unwrap();
    assert_eq!(sink.calls(), [Call::Line(10, true)]);
    drop(two);
    assert_eq!(sink.calls(), [Call::Line(10, false)]);
    one.pulse().unwrap();
    assert_eq!(sink.calls(), [Call::Line(10, true), Call::Line(10, false)]);
    assert!(matches!(irqs.line(2), Err(IrqError::NoSuchLine { gsi: 2, .. })));
}

#[test]
fn a_refused_level_is_tried_again() {
    let (irqs, sink) = active(GIC);
    let line = irqs.line(3).unwrap();
    sink.refuse(true);
    assert!(line.set(true).is_err());
    sink.refuse(false);
    sink.calls();
    line.set(true).unwrap();
    assert_eq!(sink.calls(), [Call::Line(0x0100_0023, true)]);
}

#[test]
fn lines_are_bound_to_events_with_resampling() {
    let (irqs, sink) = active(GIC);
    let line = irqs.line(3).unwrap();
    let (trigger, resample) = (event(), event());
    line.bind(&trigger, &resample).unwrap();
    line.unbind(&trigger).unwrap();
    assert_eq!(sink.calls(), [Call::Attach(3, true), Call::Detach(3)]);
}

#[test]
fn before_activation_everything_is_kept_for_later() {
    let (irqs, sink) = dormant(GIC);
    let (kept, dropped) = (irqs.alloc_msi(1).unwrap(), irqs.alloc_msi(1).unwrap());
    kept.route(0x1000, 7).unwrap();
    dropped.route(0x1000, 8).unwrap();
    drop(dropped);
    let (line, other) = (irqs.line(3).unwrap(), irqs.line(4).unwrap());
    let (trigger, resample) = (event(), event());
    line.bind(&trigger, &resample).unwrap();
    other.bind(&trigger, &resample).unwrap();
    other.unbind(&trigger).unwrap();
    other.set(true).unwrap();
    assert!(sink.calls().is_empty());

    irqs.activate().unwrap();
    let calls = sink.calls();
    assert!(matches!(&calls[0], Call::Routes(routes) if routes.len() == 65));
    assert_eq!(calls[1..], [Call::Attach(3, true), Call::Attach(64, false), Call::Line(0x0100_0024, true)]);
    irqs.activate().unwrap();
    assert!(sink.calls().is_empty());
    line.unbind(&trigger).unwrap();
    assert_eq!(sink.calls(), [Call::Detach(3)]);
}

#[test]
fn an_activation_that_failed_can_be_repeated() {
    let (irqs, sink) = dormant(GIC);
    let msi = irqs.alloc_msi(1).unwrap();
    msi.route(0x1000, 7).unwrap();
    sink.refuse(true);
    assert!(irqs.activate().is_err());
    sink.refuse(false);
    sink.calls();
    irqs.activate().unwrap();
    assert_eq!(sink.calls().len(), 2, "table and event");
}
