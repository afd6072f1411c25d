//! Time of a request's way, and of the table beside many live mappings.
#![allow(missing_docs, clippy::expect_used, reason = "a benchmark")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use data_model::Span;
use iommu_domain::{EndpointSpec, Iommu, IommuConfig, Leg, Mapping, Perm, SoftLeg, SoftTable, Table};
use suites::path::{Part, Path};
use suites::world::{FEATURES, Memory, PAGE, Rules, World};
use virtio_iommu_spec::{MAX_REQUEST_SIZE, Request, decode, encode};

const LIVE: [u64; 3] = [1_000, 100_000, 1_000_000];

fn bytes(request: &Request) -> Vec<u8> {
    let mut bytes = [0; MAX_REQUEST_SIZE];
    let len = encode(request, &mut bytes);
    bytes[..len].to_vec()
}

fn map(place: u64) -> Request {
    let virt_start = (1 << 33) + place * PAGE;
    Request::Map { domain: 1, virt_start, virt_end: virt_start + (PAGE - 1), phys_start: 0, flags: 3 }
}

fn unmap(place: u64) -> Request {
    let virt_start = (1 << 33) + place * PAGE;
    Request::Unmap { domain: 1, virt_start, virt_end: virt_start + (PAGE - 1), reserved: 0 }
}

fn requests(c: &mut Criterion) {
    let (map, unmap) = (bytes(&map(1)), bytes(&unmap(1)));
    c.bench_function("decode a MAP", |b| b.iter(|| decode(black_box(&map))));
    let world = World::new(&Rules::plain(), &Memory::new());
    world.device.negotiate(FEATURES);
    world.device.serve(&bytes(&Request::Attach { domain: 1, endpoint: 8, flags: 0, reserved: 0 }));
    c.bench_function("handle a pair, fake container", |b| {
        b.iter(|| (world.device.serve(black_box(&map)), world.device.serve(black_box(&unmap))));
    });
    let mut path = Path::new(1_000).expect("a device");
    c.bench_function("128 requests from the ring and back", |b| b.iter(|| path.run(Part::Ring, 128)));
}

fn page(place: u64) -> Mapping {
    let iova = Span::from_len((1 << 33) + place * PAGE, PAGE).expect("a page");
    Mapping { iova, phys: 0, perm: Perm::READ_WRITE }
}

fn tables(c: &mut Criterion) {
    let mut group = c.benchmark_group("table");
    for live in LIVE {
        let mut table = Table::default();
        (0..live).for_each(|n| table.insert(page(2 * n)).expect("no overlap"));
        let mut at = 0;
        let mut next = || {
            at = (at + 15_485_863) % live;
            2 * at
        };
        group.bench_with_input(BenchmarkId::new("insert and remove", live), &live, |b, _| {
            b.iter(|| {
                let mapping = page(next() + 1);
                table.insert(mapping).expect("a hole");
                let extent = table.extent(mapping.iova).expect("whole").expect("something");
                table.remove(extent.span);
            });
        });
        group.bench_with_input(BenchmarkId::new("look up, cold", live), &live, |b, _| {
            b.iter(|| table.get(black_box((1 << 33) + next() * PAGE)));
        });
        group.bench_with_input(BenchmarkId::new("look up, hot", live), &live, |b, _| {
            b.iter(|| table.get(black_box(1 << 33)));
        });
    }
}

/// An emulated device's own look-ups, and a pair of requests on the whole software path: the domain's table and the device's.
fn software(c: &mut Criterion) {
    let mut group = c.benchmark_group("emulated device");
    for live in LIVE {
        let table = Arc::<SoftTable>::default();
        let leg: Box<dyn Leg> = Box::new(SoftLeg::new("software".into(), table.clone()));
        let endpoint = EndpointSpec { id: 24, leg: Some(0), reserved: Vec::new() };
        let config = IommuConfig::new(PAGE, Span::ALL, false);
        let mut iommu = Iommu::new(config, Memory::new().phys(), vec![leg], vec![endpoint]);
        iommu.attach(24, 1, false).expect("a new domain");
        (0..live).for_each(|n| iommu.map(1, page(2 * n)).expect("no overlap"));
        let mut at = 0;
        let mut next = || {
            at = (at + 15_485_863) % live;
            2 * at
        };
        group.bench_with_input(BenchmarkId::new("look up, cold", live), &live, |b, _| {
            b.iter(|| table.enter().get(black_box((1 << 33) + next() * PAGE)));
        });
        group.bench_with_input(BenchmarkId::new("look up, hot", live), &live, |b, _| {
            b.iter(|| table.enter().get(black_box(1 << 33)));
        });
        group.bench_with_input(BenchmarkId::new("map and unmap", live), &live, |b, _| {
            b.iter(|| {
                let mapping = page(next() + 1);
                iommu.map(1, mapping).expect("a hole");
                iommu.unmap(1, mapping.iova).expect("whole");
            });
        });
    }
}

fn translate(c: &mut Criterion) {
    let path = Path::new(100_000).expect("a device");
    c.bench_function("translate an address of an emulated endpoint", |b| {
        path.with_iommu(|iommu| b.iter(|| iommu.translate(24, black_box(1 << 33), Perm::READ)));
    });
}

criterion_group!(benches, requests, tables, software, translate);
criterion_main!(benches);
