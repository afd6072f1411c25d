use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use base::GuestRam;
use data_model::{Bdf, PageMask, Span};
use devices::pci::PciFunction;
use devices::remote::{LocalServices, Places};
use devices::virtio::BlockOptions;
use devices::virtio::iommu::PollMode;
use devices::virtio::testkit::{FakeDoorbells, FakeLine, FakeMsiController};

use super::*;

fn at(device: u8) -> Bdf {
    Bdf::new(0, device, 0).unwrap()
}

fn services(requester: Bdf) -> LocalServices {
    LocalServices {
        requester,
        on_behalf: Vec::new(),
        msi: Arc::<FakeMsiController>::default(),
        doorbells: Arc::<FakeDoorbells>::default(),
        mapper: None,
        line: Some(Arc::<FakeLine>::default()),
        bars: Vec::new(),
        own: Places::default(),
        block: None,
    }
}

fn image() -> OwnedFd {
    let file: File = tempfile::tempfile().unwrap();
    file.set_len(1 << 20).unwrap();
    file.into()
}

fn disk(device: u8) -> EmulatedSetup {
    let options =
        BlockOptions { read_only: false, discard: true, block_size: 512, queues: 2, serial: String::new() };
    EmulatedSetup { at: at(device), kind: EmulatedKind::Disk(ImageFormat::Raw, options) }
}

/// Vendor and device id of a function.
fn identity(function: &mut dyn PciFunction) -> (u16, u16) {
    let mut id = [0; 4];
    function.config_read(0, &mut id);
    (u16::from_le_bytes([id[0], id[1]]), u16::from_le_bytes([id[2], id[3]]))
}

#[test]
fn the_island_answers_for_the_iommu_and_for_each_device_behind_it() {
    let ram = vec![Span::new(0, 0xf_ffff).unwrap()];
    let memory = GuestRam::new(&ram).unwrap();
    let emulated = vec![disk(3), EmulatedSetup { at: at(2), kind: EmulatedKind::Rng }, disk(31)];
    let setup = Setup::Island(IslandSetup {
        at: at(1),
        ram,
        pages: PageMask::new(4096).unwrap(),
        input: Span::new(0, (1 << 48) - 1).unwrap(),
        lockable: None,
        bypass_at_boot: false,
        poll: PollMode::default(),
        windows: Vec::new(),
        doorbell: None,
        regions: vec![(Span::new(0xfee0_0000, 0xfeef_ffff).unwrap(), true)],
        legs: Vec::new(),
        endpoints: Vec::new(),
        emulated: emulated.clone(),
        translates_messages: true,
    });
    let mut sandbox = Sandbox::new(None).unwrap();
    let mut fds = vec![copy(memory.file.as_ref()).unwrap()];
    let mut functions = Vec::new();
    for device in &emulated {
        let (function, tubes) = sandbox
            .connect(device.role(), Wiring::new(patience(0, 0)).unwrap(), services(device.at))
            .unwrap();
        functions.push(function);
        fds.extend(tubes);
        fds.extend((0..device.descriptors()).map(|_| image()));
    }
    let wiring = Wiring::new(patience(0, 0)).unwrap();
    let link = IslandLink::new(wiring.function.clone());
    let mut iommu = sandbox.start(wiring, &setup, fds, services(at(1))).unwrap();
    assert_eq!(identity(&mut iommu), (0x1af4, 0x1057));
    let found: Vec<_> = functions.iter_mut().map(|function| identity(function)).collect();
    assert_eq!(found, [(0x1af4, 0x1042), (0x1af4, 0x1044), (0x1af4, 0x1042)]);
    let report = link.report(0, 0).unwrap();
    let shown: Vec<_> = report
        .endpoints
        .iter()
        .map(|it| (it.bdf.to_string(), it.host.as_str(), it.leg.as_str(), it.reserved.len()))
        .collect();
    assert_eq!(
        shown,
        [
            ("00:02.0".into(), "virtio-rng", "software 00:02.0", 1),
            ("00:03.0".into(), "virtio-blk", "software 00:03.0", 1),
            ("00:1f.0".into(), "virtio-blk", "software 00:1f.0", 1),
        ]
    );
    // With the last ends of the tubes every thread ends.
    drop((functions, iommu, link));
    let (children, threads) = sandbox.into_parts();
    assert!(children.is_none());
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn a_device_whose_descriptors_are_missing_is_an_error_in_words() {
    let ram = vec![Span::new(0, 0xf_ffff).unwrap()];
    let memory = GuestRam::new(&ram).unwrap();
    let mut sandbox = Sandbox::new(None).unwrap();
    let setup = Setup::Emulated { device: disk(3), ram };
    let fds = vec![copy(memory.file.as_ref()).unwrap()];
    let error =
        sandbox.start(Wiring::new(patience(0, 0)).unwrap(), &setup, fds, services(at(3))).err().unwrap();
    assert!(format!("{error:#}").contains("image is missing"), "{error:#}");
}

/// A machine that fills containers is not dead: not after half a minute for each leg of a guest of 16 GiB.
#[test]
fn patience_grows_with_what_one_request_may_fill() {
    for (gibs, legs, seconds) in [(0, 0, 20), (64, 0, 20), (1, 1, 24), (16, 2, 148), (512, 1, 2068)] {
        assert_eq!(patience(gibs << 30, legs).as_secs(), seconds, "{gibs} GiB, {legs} legs");
    }
    assert_eq!(patience((1 << 30) + 1, 1).as_secs(), 28);
    assert!(patience(u64::MAX, usize::MAX) > patience(1 << 50, 28));
}
