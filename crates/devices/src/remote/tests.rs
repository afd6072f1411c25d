use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use base::Tube;
use data_model::{Bdf, Span};
use sync::Mutex;

use super::{
    FunctionAnswer, LocalServices, Places, RemoteFunction, Services, serve_function, serve_services,
};
use crate::irq::{IrqLine, MsiController, MsiMessage};
use crate::pci::{BarWindow, PciFunction, regs};
use crate::slots::{DirectMapping, Doorbells, MemoryMapper, SlotId};
use crate::virtio::testkit::{FakeDoorbells, FakeLine, FakeMapper, FakeMsiController, ram};
use crate::virtio::{PciDeps, Rng, VirtioPciDevice};

const AT: Bdf = Bdf::from_id(0x10);
const BARS: Span = match Span::new(0x8000_0000, 0x8fff_ffff) {
    Some(span) => span,
    None => Span::ALL,
};

/// Main's fakes, and threads that stand for a device process and for main's service thread.
struct Rig {
    function: RemoteFunction,
    services: Services,
    msi: Arc<FakeMsiController>,
    doorbells: Arc<FakeDoorbells>,
    mapper: Arc<FakeMapper>,
    line: Arc<FakeLine>,
    threads: Vec<JoinHandle<()>>,
}

fn rig() -> Rig {
    let (main, device) = Tube::pair().unwrap();
    let (host, client) = Tube::pair().unwrap();
    let (msi, doorbells, mapper, line) = (
        Arc::<FakeMsiController>::default(),
        Arc::<FakeDoorbells>::default(),
        Arc::<FakeMapper>::default(),
        Arc::<FakeLine>::default(),
    );
    let places = Places::default();
    let local = LocalServices {
        requester: AT,
        on_behalf: Vec::new(),
        msi: msi.clone(),
        doorbells: doorbells.clone(),
        mapper: Some(mapper.clone()),
        line: Some(line.clone()),
        bars: vec![BARS],
        own: places.clone(),
        block: None,
    };
    let services = Services::new(client);
    let shared: Arc<Services> = Arc::new(services.clone());
    let server = std::thread::spawn(move || serve_services(&host, local).unwrap());
    let process = std::thread::spawn(move || {
        let deps = PciDeps {
            at: AT,
            mem: ram(1 << 20).into(),
            msi: shared.clone(),
            doorbells: shared.clone(),
            line: Some(shared),
        };
        let mut function = VirtioPciDevice::new(Box::new(Rng::default()), deps).unwrap();
        serve_function(&device, &mut function, &mut ()).unwrap();
    });
    let function = RemoteFunction::new("virtio-rng".into(), Arc::new(Mutex::new(main)), places);
    Rig { function, services, msi, doorbells, mapper, line, threads: vec![process, server] }
}

fn read32(function: &mut RemoteFunction, offset: u16) -> u32 {
    let mut data = [0; 4];
    function.config_read(offset, &mut data);
    u32::from_le_bytes(data)
}

#[test]
fn registers_answer_across_the_tube_and_windows_follow() {
    let mut rig = rig();
    assert_eq!(read32(&mut rig.function, regs::VENDOR), 0x1044_1af4);
    assert!(rig.function.windows().is_empty());
    rig.function.config_write(regs::BAR0, &0x8010_0000u32.to_le_bytes());
    rig.function.config_write(regs::COMMAND, &regs::COMMAND_MEMORY.to_le_bytes());
    let windows = rig.function.windows();
    assert_eq!(windows.len(), 1);
    assert_eq!(windows[0].span.start(), 0x8010_0000);
    let mut features = [0; 4];
    rig.function.bar_write(0, 0, &1u32.to_le_bytes());
    rig.function.bar_read(0, 4, &mut features);
    assert_eq!(u32::from_le_bytes(features) & 1, 1, "VERSION_1 in the upper half");
    rig.function.reset();
    assert!(rig.function.windows().is_empty(), "a reset takes the windows away");
}

#[test]
fn a_process_that_ends_reads_as_ones_and_leaves_nothing_behind() {
    let mut rig = rig();
    rig.function.config_write(regs::BAR0, &0x8010_0000u32.to_le_bytes());
    rig.function.config_write(regs::COMMAND, &regs::COMMAND_MEMORY.to_le_bytes());
    let vector = rig.services.vector(AT).unwrap();
    vector.route(MsiMessage { address: 0xfee0_0000, data: 0x41 }).unwrap();
    assert!(rig.msi.with_data(0x41).is_some());
    let Rig { function, services, doorbells, threads, .. } = rig;
    drop((function, vector, services));
    for thread in threads {
        thread.join().unwrap();
    }
    assert!(doorbells.addresses().is_empty());
    let (main, device) = Tube::pair().unwrap();
    drop(device);
    let mut orphan = RemoteFunction::new("gone".into(), Arc::new(Mutex::new(main)), Places::default());
    assert_eq!(read32(&mut orphan, 0), u32::MAX);
    assert!(orphan.windows().is_empty());
}

#[test]
fn vectors_carry_their_event_and_free_themselves() {
    let rig = rig();
    let vector = rig.services.vector(AT).unwrap();
    vector.event().write(1).unwrap();
    let fake = rig.msi.vectors().pop().unwrap();
    assert_eq!(fake.requester, AT);
    assert_eq!(fake.take(), 1, "one event in both processes");
    vector.route(MsiMessage { address: 1, data: 2 }).unwrap();
    vector.unroute().unwrap();
    assert_eq!(fake.message(), None);
    let stranger = Bdf::from_id(0x100);
    assert!(rig.services.vector(stranger).is_err(), "nobody asks for another's interrupts");
    assert!(rig.services.block(1).is_err(), "nor resets others");
    drop(vector);
    assert_eq!(Arc::strong_count(&fake), 2, "the test and the fake's own list");
}

#[test]
fn mappings_and_doorbells_outside_the_bar_windows_are_refused() {
    let rig = rig();
    let file = rustix::fs::memfd_create("bar", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
    rustix::fs::ftruncate(&file, 0x4000).unwrap();
    let region = Arc::new(base::MappedRegion::new(file.as_fd(), 0, 0x4000, true).unwrap());
    let map = |start: u64| {
        let span = Span::from_len(start, 0x1000).unwrap();
        rig.services.map(DirectMapping { span, region: region.clone(), offset: 0x2000 })
    };
    assert!(map(0x1000).is_err(), "guest RAM is no place for a BAR");
    assert!(map(BARS.last() - 0x7ff).is_err());
    let slot = map(0x8000_0000).unwrap();
    assert_eq!(rig.mapper.mappings()[0].region.source().1, 0x2000);
    assert!(rig.services.unmap(SlotId(slot.0 + 1)).is_err(), "nobody else's");
    rig.services.unmap(slot).unwrap();
    assert!(rig.mapper.mappings().is_empty());
    let event = base::new_event().unwrap();
    assert!(Doorbells::bind(&rig.services, 0x1000, &event).is_err());
    Doorbells::bind(&rig.services, 0x8000_0010, &event).unwrap();
    assert!(rig.doorbells.ring(0x8000_0010));
    assert_eq!(event.read().unwrap(), 1);
}

#[test]
fn mappings_and_doorbells_over_another_devices_bar_are_refused() {
    let mut rig = rig();
    rig.function.config_write(regs::BAR0, &0x8010_0000u32.to_le_bytes());
    rig.function.config_write(regs::COMMAND, &regs::COMMAND_MEMORY.to_le_bytes());
    let own = rig.function.windows()[0].span;
    let file = rustix::fs::memfd_create("bar", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
    rustix::fs::ftruncate(&file, 0x1000).unwrap();
    let region = Arc::new(base::MappedRegion::new(file.as_fd(), 0, 0x1000, true).unwrap());
    let event = base::new_event().unwrap();
    let cases =
        [(own.start(), true), (own.last() - 0xfff, true), (own.last() + 1, false), (0x8000_0000, false)];
    for (at, granted) in cases {
        let span = Span::from_len(at, 0x1000).unwrap();
        let mapped = rig.services.map(DirectMapping { span, region: region.clone(), offset: 0 });
        assert_eq!((mapped.is_ok(), at), (granted, at));
        assert_eq!(Doorbells::bind(&rig.services, at + 8, &event).is_ok(), granted, "{at:#x}");
    }
    rig.function.config_write(regs::BAR0, &0x8020_0000u32.to_le_bytes());
    assert!(
        Doorbells::bind(&rig.services, own.start() + 16, &event).is_err(),
        "its BAR is not there any more"
    );
    Doorbells::bind(&rig.services, 0x8020_0000, &event).unwrap();
}

#[test]
fn the_line_is_bound_once() {
    let rig = rig();
    rig.services.set(true).unwrap();
    assert!(rig.line.level());
    let (trigger, resample) = (base::new_event().unwrap(), base::new_event().unwrap());
    IrqLine::bind(&rig.services, &trigger, &resample).unwrap();
    assert!(IrqLine::bind(&rig.services, &trigger, &resample).is_err());
    IrqLine::unbind(&rig.services, &trigger, &resample).unwrap();
    assert_eq!(rig.line.bound(), 0);
}

#[test]
fn what_may_reset_a_device_may_take_as_long_as_the_kernel_waits_for_it() {
    type Access = fn(&mut RemoteFunction);
    let cases: [(&str, Access, bool); 5] = [
        ("reset", |function| function.reset(), true),
        ("write of a register", |function| function.config_write(0x78, &[0, 0x80]), true),
        ("read of a register", |function| function.config_read(0, &mut [0; 4]), false),
        ("read of a BAR", |function| function.bar_read(0, 0, &mut [0; 4]), false),
        ("write of a BAR", |function| function.bar_write(0, 0, &[0; 4]), false),
    ];
    for (name, access, waits) in cases {
        let (main, device) = Tube::pair().unwrap();
        // No time at all: only who has more than the tube's own limit gets as far as the answer.
        let tube = Arc::new(Mutex::new(main.with_limit(Duration::ZERO)));
        let answer = FunctionAnswer::Windows(Vec::new());
        device.send(&answer, &[]).unwrap();
        access(&mut RemoteFunction::new("hurried".into(), tube.clone(), Places::default()));
        assert_eq!(device.send(&answer, &[]).is_ok(), waits, "{name}: whether the connection stands");
    }
}

#[test]
fn a_process_that_answers_nonsense_is_lost_and_its_windows_with_it() {
    let window = |bar, len| BarWindow { bar, span: Span::from_len(0x8000_0000, len).unwrap(), io: false };
    let windows = |list: &[BarWindow]| FunctionAnswer::Windows(list.to_vec());
    type Access = fn(&mut RemoteFunction);
    let read: Access = |function| function.config_read(0, &mut [0; 4]);
    let write: Access = |function| function.config_write(4, &[2, 0]);
    let cases: [(&str, Access, FunctionAnswer, bool); 9] = [
        ("bytes", read, FunctionAnswer::Data(vec![0; 4]), true),
        ("too few bytes", read, FunctionAnswer::Data(vec![0; 3]), false),
        ("no bytes at all", read, FunctionAnswer::Done, false),
        ("the same window", write, windows(&[window(0, 0x1000)]), true),
        ("a larger window", write, windows(&[window(0, 0x2000)]), false),
        ("a seventh BAR", write, windows(&[window(0, 0x1000), window(6, 0x1000)]), false),
        ("more windows than a message may hold", write, windows(&[window(0, 0x1000); 60]), false),
        ("no windows", write, FunctionAnswer::Done, false),
        ("windows for a BAR write", |it| it.bar_write(0, 0, &[0]), windows(&[window(0, 0x1000)]), false),
    ];
    for (name, access, answer, believed) in cases {
        let (main, device) = Tube::pair().unwrap();
        let mut function = RemoteFunction::new(name.into(), Arc::new(Mutex::new(main)), Places::default());
        [windows(&[window(0, 0x1000)]), answer].iter().for_each(|answer| device.send(answer, &[]).unwrap());
        function.config_write(regs::BAR0, &0x8000_0000u32.to_le_bytes());
        assert_eq!(function.windows(), [window(0, 0x1000)]);
        access(&mut function);
        assert_eq!(!function.windows().is_empty(), believed, "{name}");
    }
}
