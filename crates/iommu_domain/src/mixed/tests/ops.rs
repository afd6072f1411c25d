//! Random configurations and random requests, crowded into a few places so that they collide.

use std::collections::BTreeMap;

use data_model::Span;
use proptest::prelude::*;

use super::super::*;
use super::kit::*;
use crate::Perm;
use crate::testing::fewer_than;

#[derive(Clone, Debug)]
pub enum Op {
    Attach(DeviceId),
    Detach(DeviceId),
    Map(MapRequest),
    Unmap(UnmapRequest),
    UnmapAll,
    Prepare(DeviceId, u64),
    Release(DeviceId, u64),
    SetWindow(Span),
    Publish,
}

/// What an operation said.
pub type Outcome = Result<Vec<u64>, Failure>;

/// Four devices: two of one group, one of 32 bits with the x86 window, one narrow in every way.
pub fn device(id: DeviceId) -> Device {
    match id {
        1 | 2 => Device { group: 1, ..Device::new(id) },
        3 => Device {
            resv: vec![(span(0xfee0_0000, 0xfeef_ffff), ResvKind::Msi), (linux_window(), ResvKind::SwMsi)],
            ..narrow(3)
        },
        _ => Device {
            dma_mask: 0x0fff_ffff,
            aperture: span(0, 0xbfff_ffff),
            resv: vec![
                (of(0x8000_1000, PAGE), ResvKind::DirectRelaxable),
                (of(0, PAGE), ResvKind::Direct),
                // Where the first page of a small window goes.
                (of(0x0803_f000, PAGE), ResvKind::Reserved),
            ],
            ..Device::new(4)
        },
    }
}

pub fn apply(domain: &mut MixedDomain, op: &Op) -> Outcome {
    let edges = |spans: Vec<Span>| spans.iter().flat_map(|span| [span.start(), span.last()]).collect();
    match op {
        Op::Attach(id) => domain.attach(device(*id)).map(|attached| edges(attached.lost)),
        Op::Detach(id) => domain.detach(*id).map(|bytes| vec![bytes]),
        Op::Map(request) => domain.map(*request).map(|()| vec![]),
        Op::Unmap(request) => domain.unmap(*request).map(|bytes| vec![bytes]),
        Op::UnmapAll => Ok(vec![domain.unmap_all()]),
        Op::Prepare(id, phys) => domain.msi_prepare(*id, *phys).map(|iova| vec![iova]),
        Op::Release(id, phys) => domain.msi_release(*id, *phys).map(|()| vec![]),
        Op::SetWindow(window) => domain.set_window(*window).map(|()| vec![]),
        Op::Publish => Ok(edges(domain.publish())),
    }
}

fn iovas() -> impl Strategy<Value = u64> {
    let base = prop_oneof![
        Just(0u64),
        Just(0x0800_0000),
        Just(0x8000_0000),
        Just(0xffff_8000),
        Just(0xfee0_0000),
        Just(u64::MAX - 0x7fff)
    ];
    (base, 0..8u64, prop::bool::weighted(0.03))
        .prop_map(|(base, page, odd)| base + page * PAGE + u64::from(odd))
}

fn lens() -> impl Strategy<Value = u64> {
    prop_oneof![
        8 => Just(PAGE),
        4 => (1..6u64).prop_map(|pages| pages * PAGE),
        1 => Just(2 * MIB),
        1 => Just(2 * MIB - PAGE),
        1 => Just(2 * MIB + PAGE),
        1 => Just(GIB4),
        1 => prop_oneof![Just(0), Just(1), Just(u64::MAX), Just(1 << 63)],
    ]
}

fn maps() -> impl Strategy<Value = MapRequest> {
    let perm = any::<(bool, bool)>().prop_map(|(read, write)| Perm { read, write });
    let target = prop_oneof![
        6 => (0..3u32, 0..64u64).prop_map(|(backing, page)| Target::Ram { backing, offset: page * PAGE }),
        1 => Just(Target::Mmio { phys: 0x1000_0000 }),
    ];
    (iovas(), lens(), target, perm, 0..40u32).prop_map(|(iova, len, target, perm, flag)| MapRequest {
        flags: u32::from(flag == 0) << 7,
        ..MapRequest::new(iova, len, target, perm)
    })
}

pub fn ops() -> impl Strategy<Value = Op> {
    let id = 1..5u32;
    let phys = prop_oneof![0..6u64].prop_map(|n| 0x2000_0040 + n * 0x1_0000);
    let unmap = (iovas(), lens(), prop::bool::weighted(0.05))
        .prop_map(|(iova, len, all)| UnmapRequest { all, ..UnmapRequest::range(iova, len) });
    prop_oneof![
        3 => id.clone().prop_map(Op::Attach),
        1 => id.clone().prop_map(Op::Detach),
        10 => maps().prop_map(Op::Map),
        4 => unmap.prop_map(Op::Unmap),
        1 => Just(Op::UnmapAll),
        6 => (id.clone(), phys.clone()).prop_map(|(id, phys)| Op::Prepare(id, phys)),
        2 => (id, phys).prop_map(|(id, phys)| Op::Release(id, phys)),
        1 => (iovas(), lens()).prop_filter_map("no span", |(iova, len)| Span::from_len(iova, len)).prop_map(Op::SetWindow),
        1 => Just(Op::Publish),
    ]
}

pub fn policies() -> impl Strategy<Value = MsiPolicy> {
    let window = prop_oneof![Just(linux_window()), Just(of(0x0800_0000, 0x4_0000))];
    (window, 0..8u8).prop_map(|(window, n)| match n {
        0 | 1 => MsiPolicy::SeedHoles,
        2 => MsiPolicy::SeedWindow { window },
        3 => MsiPolicy::Published { window },
        4 => MsiPolicy::FixedType1 { window, kernel_bug_unbounded: window.len() != Some(MIB) },
        5 => MsiPolicy::FixedIommufd { window },
        6 => MsiPolicy::Hw { regions: vec![span(0xfee0_0000, 0xfeef_ffff)] },
        _ => MsiPolicy::None,
    })
}

/// Any configuration that makes a domain.
pub fn configs() -> impl Strategy<Value = Config> {
    let aperture = prop_oneof![Just(Span::ALL), Just(low()), Just(span(0x100_0000, 0x7fff_ffff))];
    let personality = (0..Personality::ALL.len()).prop_map(|n| Personality::ALL[n]);
    let page = prop_oneof![Just(PAGE), Just(0x1_0000)];
    let limits = (prop::option::of(1..6u32), prop::option::of(Just(8 * PAGE)), any::<(bool, bool)>());
    (aperture, policies(), personality, page, limits).prop_map(
        |(aperture, policy, personality, msi_page, (max_slots, lock_limit, (reclaim, memory)))| {
            let backing = |n: u32| (n, Backing { len: 3 * MIB, writable: n != 1 });
            Config {
                policy,
                personality,
                msi_page,
                max_slots,
                lock_limit,
                reclaim,
                resv: vec![(of(0xff00_0000, MIB), ResvKind::Reserved)],
                backings: memory.then(|| BTreeMap::from([backing(0), backing(1)])),
                ..Config::seed(aperture)
            }
        },
    )
}

pub fn traces(max: usize) -> impl Strategy<Value = Vec<Op>> {
    prop::collection::vec(ops(), fewer_than(max))
}
