use virtio_iommu_spec::{MAP_F_MMIO, Property, Request, RequestKind, Status, properties};

use super::rig::*;

#[test]
fn statuses_follow_the_conformance_table() {
    use Status::*;
    let mut rig = rig();
    let attach = |endpoint, domain, flags, reserved| Request::Attach { domain, endpoint, flags, reserved };
    let map = |domain, virt_start, virt_end, phys_start, flags| Request::Map {
        domain,
        virt_start,
        virt_end,
        phys_start,
        flags,
    };
    let unmap =
        |domain, virt_start, virt_end, reserved| Request::Unmap { domain, virt_start, virt_end, reserved };
    let detach = |endpoint, domain| Request::Detach { domain, endpoint };
    let steps = [
        ("A1", attach(8, 1, 0, 1), Inval),
        ("A2", attach(8, 1, 2, 0), Inval),
        ("A3", attach(444, 1, 0, 0), NoEnt),
        ("M4", map(1, 0, 0xfff, 0, 1), NoEnt),
        ("U2", unmap(1, 0, 0xfff, 0), NoEnt),
        ("G1", attach(8, 1, 0, 0), Ok),
        ("A5", attach(16, 1, 1, 0), Inval),
        ("A4", attach(16, 1, 0, 0), Ok),
        ("A6", attach(16, 2, 1, 0), Ok),
        ("M5", map(2, 0, 0xfff, 0, 1), Inval),
        ("U3", unmap(2, 0, 0xfff, 0), Inval),
        ("M1 start", map(1, 1, 0x1000, 0, 1), Range),
        ("M1 end", map(1, 0, 0x1000, 0, 1), Range),
        ("M1 target", map(1, 0, 0xfff, 1, 1), Range),
        ("M3", map(1, 0, 0xfff, 0, 8), Inval),
        ("M8", map(1, 0xfee0_0000, 0xfee0_0fff, 0, 1), Inval),
        ("M9", map(1, 0x1000, 0xfff, 0, 1), Range),
        ("M9 far", map(1, u64::MAX, 0, 0, 1), Range),
        ("M11", map(1, 0, 0xfff, RAM, 1), Fault),
        ("G8", map(1, 1 << 39, (1 << 39) + 0xfff, 0, 1), Range),
        ("G1", map(1, 0, 0x1fff, 0, 1), Ok),
        ("M2", map(1, 0x1000, 0x2fff, 0, 1), Inval),
        ("U1", unmap(1, 0, 0x1fff, 1), Inval),
        ("U4", unmap(1, 0, 0xfff, 0), Range),
        ("U5", unmap(1, 0, u64::MAX, 0), Ok),
        ("U5 again", unmap(1, 0, u64::MAX, 0), Ok),
        ("D2", detach(444, 1), NoEnt),
        ("D3", detach(8, 2), Inval),
        ("D3 unknown", detach(8, 9), Inval),
        ("G1", detach(8, 1), Ok),
        ("D5", map(1, 0, 0xfff, 0, 1), NoEnt),
        ("P2", Request::Probe { endpoint: 444 }, NoEnt),
        ("G1", Request::Probe { endpoint: 8 }, Ok),
    ];
    for (row, request, expected) in steps {
        assert_eq!(rig.send(request), expected, "{row}: {request:x?}");
    }
}

#[test]
fn a_read_only_map_is_read_only_on_the_host() {
    let mut rig = rig();
    rig.attach(8, 1);
    for (page, flags) in [(0, 1), (1, 2), (2, 3)] {
        assert_eq!(rig.map(1, page * PAGE, page * PAGE + 0xfff, 0, flags), Status::Ok);
    }
    let perms: Vec<_> = rig.hosts[0].mappings().iter().map(|(_, _, perm)| (perm.read, perm.write)).collect();
    assert_eq!(perms, [(true, false), (false, true), (true, true)], "M6");
}

#[test]
fn the_mmio_flag_needs_its_feature() {
    let mut with = rig();
    with.attach(8, 1);
    assert_eq!(with.map(1, 0, 0xfff, 0, 1 | MAP_F_MMIO), Status::Ok);
    let mut without = rig_with(ALL_FEATURES & !virtio_iommu_spec::Features::MMIO);
    without.attach(8, 1);
    assert_eq!(without.map(1, 0, 0xfff, 0, 1 | MAP_F_MMIO), Status::Inval, "M3");
}

#[test]
fn probe_names_every_reserved_region() {
    let mut rig = rig();
    let reply = rig.raw(&bytes(&Request::Probe { endpoint: 16 }), PROBE_ROOM + 4);
    assert_eq!(reply.len, PROBE_ROOM + 4);
    let (list, tail) = reply.bytes.split_at(PROBE_ROOM as usize);
    assert_eq!(tail, [0; 4]);
    let regions: Vec<_> = properties(list)
        .map(|property| match property {
            Property::ResvMem(region) => (region.kind as u8, region.span.start(), region.span.last()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(regions, [(1, 0xfee0_0000, 0xfeef_ffff), (0, 1 << 38, (1 << 38) + 0xffff)]);
    assert!(list[48..].iter().all(|byte| *byte == 0), "P8");
}

#[test]
fn a_probe_that_fails_still_fills_the_buffer() {
    let mut rig = rig();
    let reply = rig.raw(&bytes(&Request::Probe { endpoint: 444 }), PROBE_ROOM + 4);
    assert_eq!(reply.len, PROBE_ROOM + 4, "T1");
    assert!(reply.bytes[..PROBE_ROOM as usize].iter().all(|byte| *byte == 0));
}

#[test]
fn a_probe_before_a_map_in_one_batch_leaves_each_its_own_length() {
    let mut rig = rig();
    rig.attach(8, 1);
    let queue = &mut rig.bench.queues[0];
    let probe =
        queue.chain().readable(&bytes(&Request::Probe { endpoint: 8 })).writable(PROBE_ROOM + 4).send();
    let map = Request::Map { domain: 1, virt_start: 0, virt_end: 0xfff, phys_start: 0, flags: 3 };
    let map = queue.chain().readable(&bytes(&map)).writable(4).send();
    queue.kick();
    let used: Vec<_> = (0..2)
        .filter_map(|_| queue.wait(crate::virtio::testkit::SECOND))
        .map(|used| (used.id, used.len))
        .collect();
    assert_eq!(used, [(u32::from(probe.head), PROBE_ROOM + 4), (u32::from(map.head), 4)]);
}

#[test]
fn device_reset_empties_the_host_and_keeps_bypass() {
    use crate::virtio::VirtioDevice;
    let mut rig = rig();
    rig.attach(8, 1);
    rig.map(1, 0, 0xfff, 0, 3);
    assert_eq!(rig.hosts[0].mappings().len(), 1);
    rig.device.reset();
    assert!(rig.hosts[0].mappings().is_empty(), "C7");
    assert!(rig.device.config_write(0x24, &[1], ALL_FEATURES));
    rig.device.reset();
    let mut bypass = [0];
    rig.device.config_read(0x24, &mut bypass);
    assert_eq!(bypass, [1], "C3");
    assert_eq!(rig.hosts[0].mappings().len(), 1, "RAM one to one");
    rig.device.system_reset();
    rig.device.config_read(0x24, &mut bypass);
    assert_eq!(bypass, [0], "C3: back to the value of boot");
    assert!(rig.hosts[0].mappings().is_empty());
}

#[test]
fn requests_are_counted_by_kind_and_outcome() {
    let mut rig = rig();
    rig.attach(8, 1);
    rig.map_page(1, 0);
    rig.map_page(1, 0);
    rig.map_page(2, 0);
    rig.raw(&[9; 4], 4);
    let counters = rig.device.handle().report().counters;
    let of = |kind: RequestKind| {
        let count = counters.kinds.iter().find(|count| count.kind == kind).unwrap();
        (count.ok(), count.failed())
    };
    assert_eq!(RequestKind::ALL.map(of), [(1, 0), (0, 0), (1, 2), (0, 0), (0, 0)]);
    assert_eq!(counters.unanswered, 1);
}
