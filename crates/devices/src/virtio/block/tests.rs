use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use sync::Mutex;
use virtio_iommu_spec::Status as IommuStatus;
use vm_memory::{Bytes, GuestAddress};

use super::*;
use crate::virtio::testkit::{Behind, Bench, DriverQueue, RawDesc, Reply, SECOND, ram};

mod qcow2;
mod raw;
mod stop;

const RAM: u64 = 2 << 20;
const DISK: usize = 256 << 10;
const OK: u8 = 0;
const IOERR: u8 = 1;
const UNSUPP: u8 = 2;
const READ: u32 = 0;
const WRITE: u32 = 1;
const FLUSH: u32 = 4;
const ID: u32 = 8;
const DISCARD: u32 = 11;
const ZEROES: u32 = 13;

/// A disk in memory that remembers what was asked of it.
#[derive(Default)]
struct FakeImage {
    bytes: Mutex<Vec<u8>>,
    flushes: AtomicU32,
    asked: Mutex<Vec<(&'static str, u64, u64)>>,
    broken: bool,
    /// Zeros must be written.
    plain: bool,
}

impl FakeImage {
    fn new() -> FakeImage {
        let bytes = (0..DISK).map(|n| (n / 512) as u8 ^ n as u8).collect();
        FakeImage { bytes: Mutex::new(bytes), ..FakeImage::default() }
    }

    fn fine(&self) -> io::Result<()> {
        if self.broken { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl Image for FakeImage {
    fn len(&self) -> u64 {
        self.bytes.lock().len() as u64
    }

    fn read(&self, offset: u64, data: &mut [u8]) -> io::Result<()> {
        self.fine()?;
        data.copy_from_slice(&self.bytes.lock()[offset as usize..][..data.len()]);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.fine()?;
        self.bytes.lock()[offset as usize..][..data.len()].copy_from_slice(data);
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        self.flushes.fetch_add(1, Ordering::SeqCst);
        self.fine()
    }

    fn discard(&self, offset: u64, len: u64) -> io::Result<()> {
        self.asked.lock().push(("discard", offset, len));
        self.fine()
    }

    fn write_zeroes(&self, offset: u64, len: u64, unmap: bool) -> io::Result<()> {
        self.asked.lock().push((if unmap { "hole" } else { "zeros" }, offset, len));
        if self.plain {
            return Err(io::ErrorKind::Unsupported.into());
        }
        self.bytes.lock()[offset as usize..][..len as usize].fill(0);
        self.fine()
    }
}

fn options() -> BlockOptions {
    BlockOptions { read_only: false, discard: true, block_size: 512, queues: 1, serial: "disk one".into() }
}

/// All that is offered.
fn all(device: &Block) -> u64 {
    device.features()
}

struct Rig {
    device: Block,
    image: Arc<FakeImage>,
    bench: Bench,
    behind: Option<Behind>,
}

fn rig_of(image: FakeImage, options: BlockOptions, behind: bool) -> Rig {
    let image = Arc::new(image);
    let mut device = Block::new(image.clone(), options);
    let features = all(&device);
    let behind = behind.then(|| Behind::mapped(RAM));
    let bench = match &behind {
        Some(behind) => Bench::behind(behind, &device, features),
        None => Bench::new(ram(RAM), &device, features),
    };
    device.activate(bench.activation()).unwrap();
    Rig { device, image, bench, behind }
}

fn rig() -> Rig {
    rig_of(FakeImage::new(), options(), false)
}

/// One beside the IOMMU, one behind it.
fn both() -> [Rig; 2] {
    [false, true].map(|behind| rig_of(FakeImage::new(), options(), behind))
}

fn head(kind: u32, sector: u64) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &[0; 4], &sector.to_le_bytes()].concat()
}

fn range(sector: u64, count: u32, flags: u32) -> Vec<u8> {
    [&sector.to_le_bytes()[..], &count.to_le_bytes(), &flags.to_le_bytes()].concat()
}

impl Rig {
    /// Sends `request` and gives what came back: data, status, used length.
    #[track_caller]
    fn ask(&mut self, request: &[u8], room: u32) -> (Vec<u8>, u8, u32) {
        let Reply { len, mut bytes } = self.bench.queues[0].request(request, room + 1).expect("an answer");
        let status = bytes.pop().unwrap();
        (bytes, status, len)
    }

    fn read(&mut self, sector: u64, bytes: u32) -> (Vec<u8>, u8, u32) {
        self.ask(&head(READ, sector), bytes)
    }

    fn write(&mut self, sector: u64, data: &[u8]) -> u8 {
        self.ask(&[&head(WRITE, sector)[..], data].concat(), 0).1
    }
}

#[test]
fn what_is_written_is_read_again() {
    for mut rig in both() {
        let disk = rig.image.bytes.lock().clone();
        let (data, status, len) = rig.read(3, 8 * 512);
        assert_eq!((data.as_slice(), status, len), (&disk[3 * 512..11 * 512], OK, 8 * 512 + 1));
        let fresh: Vec<u8> = (0..130 * 512).map(|n| (n % 253) as u8).collect();
        assert_eq!(rig.write(100, &fresh), OK);
        assert_eq!(rig.read(100, fresh.len() as u32).0, fresh, "more than the buffer holds");
        let last = (DISK / 512) as u64 - 1;
        assert_eq!(rig.read(last, 512).1, OK);
        assert!(rig.behind.is_none_or(|behind| behind.faults().is_empty()));
    }
}

#[test]
fn requests_in_pieces_and_in_tables_are_one_request() {
    for mut rig in both() {
        let disk = rig.image.bytes.lock().clone();
        let queue = &mut rig.bench.queues[0];
        let header = head(READ, 1);
        let chain = queue.chain().readable_in_pieces(&header, 7).writable_in_pieces(1024, 300).writable(1);
        let sent = chain.indirect().send();
        queue.kick_if_wanted();
        let used = queue.wait(5 * SECOND).unwrap();
        let reply = queue.reply(&sent, used);
        assert_eq!((reply.len, &reply.bytes[..1024], reply.bytes[1024]), (1025, &disk[512..1536], OK));
    }
}

#[test]
fn what_breaks_a_rule_is_answered_with_an_error() {
    let end = (DISK / 512) as u64;
    let cases: [(&str, Vec<u8>, u32, u8); 15] = [
        ("read beyond the end", head(READ, end), 512, IOERR),
        ("read over the end", head(READ, end - 1), 1024, IOERR),
        ("read beyond all", head(READ, u64::MAX), 512, IOERR),
        ("read half a sector", head(READ, 0), 100, IOERR),
        ("write half a sector", [head(WRITE, 0), vec![1; 100]].concat(), 0, IOERR),
        ("write over the end", [head(WRITE, end - 1), vec![1; 1024]].concat(), 0, IOERR),
        ("half a header", head(READ, 0)[..15].to_vec(), 512, IOERR),
        ("an unknown request", head(99, 0), 0, UNSUPP),
        ("discard of nothing", head(DISCARD, 0), 0, IOERR),
        ("discard of half a range", [head(DISCARD, 0), vec![0; 8]].concat(), 0, IOERR),
        ("discard over the end", [head(DISCARD, 0), range(end - 1, 2, 0)].concat(), 0, IOERR),
        ("discard with a flag", [head(DISCARD, 0), range(0, 1, 1)].concat(), 0, UNSUPP),
        ("zeroes with an unknown flag", [head(ZEROES, 0), range(0, 1, 2)].concat(), 0, UNSUPP),
        ("zeroes beyond all", [head(ZEROES, 0), range(u64::MAX, 1, 0)].concat(), 0, IOERR),
        ("zeroes of no sector", [head(ZEROES, 0), range(0, 0, 0)].concat(), 0, IOERR),
    ];
    let mut rig = rig();
    let before = rig.image.bytes.lock().clone();
    for (name, request, room, want) in cases {
        let (data, status, len) = rig.ask(&request, room);
        assert_eq!(status, want, "{name}");
        assert!(data.iter().all(|byte| *byte == 0xa5), "{name}: data was written");
        assert_eq!(len, if room == 0 { 1 } else { 0 }, "{name}: the used length counts from the first byte");
    }
    assert_eq!(*rig.image.bytes.lock(), before);
    assert!(rig.image.asked.lock().is_empty());
}

#[test]
fn a_bad_range_behind_a_good_one_changes_nothing() {
    let mut rig = rig();
    let request = [head(ZEROES, 0), range(0, 8, 0), range((DISK / 512) as u64, 1, 0)].concat();
    assert_eq!(rig.ask(&request, 0).1, IOERR);
    assert!(rig.image.asked.lock().is_empty());
}

#[test]
fn flush_discard_zeroes_and_id_do_what_they_say() {
    for mut rig in both() {
        assert_eq!((rig.ask(&head(FLUSH, 0), 0).1, rig.image.flushes.load(Ordering::SeqCst)), (OK, 1));
        let request = [head(DISCARD, 0), range(2, 3, 0), range(10, 1, 0)].concat();
        assert_eq!(rig.ask(&request, 0).1, OK);
        for flags in [0, 1] {
            assert_eq!(rig.ask(&[head(ZEROES, 0), range(4, 2, flags)].concat(), 0).1, OK);
        }
        let asked: Vec<_> = std::mem::take(&mut *rig.image.asked.lock());
        let want =
            [("discard", 1024, 1536), ("discard", 5120, 512), ("zeros", 2048, 1024), ("hole", 2048, 1024)];
        assert_eq!(asked, want);
        assert_eq!(rig.read(4, 1024).0, [0; 1024]);
        let (id, status, len) = rig.ask(&head(ID, 0), 20);
        assert_eq!((&id[..9], status, len), (&b"disk one\0"[..], OK, 21));
    }
}

#[test]
fn zeros_are_written_to_an_image_that_cannot_make_them() {
    let mut rig = rig_of(FakeImage { plain: true, ..FakeImage::new() }, options(), false);
    let mut want = rig.image.bytes.lock().clone();
    // More than the buffer holds, and less.
    for (sector, count) in [(1, 300), (400, 3)] {
        assert_eq!(rig.ask(&[head(ZEROES, 0), range(sector, count, 1)].concat(), 0).1, OK);
        want[512 * sector as usize..][..512 * count as usize].fill(0);
    }
    assert!(*rig.image.bytes.lock() == want);
    let mut rig = rig_of(FakeImage { plain: true, broken: true, ..FakeImage::new() }, options(), false);
    assert_eq!(rig.ask(&[head(ZEROES, 0), range(0, 1, 0)].concat(), 0).1, IOERR);
}

#[test]
fn a_disk_that_may_not_be_written_is_not() {
    let options = BlockOptions { read_only: true, ..options() };
    let mut rig = rig_of(FakeImage::new(), options, false);
    assert_eq!(
        all(&rig.device) & (1 << 5 | 1 << 9 | 1 << 13 | 1 << 14),
        1 << 5,
        "RO, and nothing that writes"
    );
    let before = rig.image.bytes.lock().clone();
    for request in [
        [head(WRITE, 0), vec![1; 512]].concat(),
        [head(DISCARD, 0), range(0, 1, 0)].concat(),
        [head(ZEROES, 0), range(0, 1, 0)].concat(),
    ] {
        assert_eq!(rig.ask(&request, 0).1, IOERR);
    }
    assert!(*rig.image.bytes.lock() == before && rig.image.asked.lock().is_empty());
    assert_eq!(rig.read(0, 512).1, OK);
}

#[test]
fn a_disk_that_keeps_its_space_offers_no_discard() {
    let options = BlockOptions { discard: false, ..options() };
    let mut rig = rig_of(FakeImage::new(), options, false);
    assert_eq!(all(&rig.device) & 1 << 13, 0);
    assert_eq!(rig.ask(&[head(DISCARD, 0), range(0, 1, 0)].concat(), 0).1, UNSUPP);
    assert_eq!(rig.ask(&[head(ZEROES, 0), range(0, 1, 1)].concat(), 0).1, OK);
    assert_eq!(rig.image.asked.lock()[..], [("zeros", 0, 512)], "also where the guest would not mind a hole");
}

#[test]
fn a_driver_that_cannot_flush_has_every_write_made_durable() {
    let image = Arc::new(FakeImage::new());
    for (features, flushes) in [(0, 1), (1 << 9, 0)] {
        image.flushes.store(0, Ordering::SeqCst);
        let mut device = Block::new(image.clone(), options());
        let mut bench = Bench::new(ram(RAM), &device, features);
        device.activate(bench.activation()).unwrap();
        bench.queues[0].request(&[head(WRITE, 0), vec![7; 512]].concat(), 1).unwrap();
        assert_eq!(image.flushes.load(Ordering::SeqCst), flushes);
    }
}

#[test]
fn a_failing_image_is_an_error_for_the_guest_and_no_more() {
    let mut rig = rig_of(FakeImage { broken: true, ..FakeImage::new() }, options(), false);
    assert_eq!(rig.read(0, 512), (vec![0xa5; 512], IOERR, 0));
    assert_eq!(rig.write(0, &[1; 512]), IOERR);
    assert_eq!(rig.ask(&head(FLUSH, 0), 0).1, IOERR);
    assert!(!rig.bench.interrupt.asked_for_reset());
}

#[test]
fn the_configuration_tells_capacity_limits_and_queues() {
    let options = BlockOptions { queues: 3, block_size: 4096, ..options() };
    let device = Block::new(Arc::new(FakeImage::new()), options);
    let get = |offset: u64| {
        let mut word = [0; 4];
        device.config_read(offset, &mut word);
        u32::from_le_bytes(word)
    };
    assert_eq!((get(0), get(4)), ((DISK / 512) as u32, 0));
    assert_eq!((get(8), get(12), get(20), get(32) >> 16), (256 << 10, 126, 4096, 3));
    assert_eq!((get(36), get(40), get(44)), (65536, 32, 8));
    assert_eq!((get(48), get(52), get(56)), (65536, 32, 1));
    assert_eq!((get(60), get(u64::MAX)), (0, 0));
    assert_eq!(device.queue_sizes(), [256; 3]);
    assert!(all(&device) & 1 << 12 != 0);
}

#[test]
fn each_queue_is_served() {
    let mut rig = rig_of(FakeImage::new(), BlockOptions { queues: 4, ..options() }, true);
    for (n, queue) in rig.bench.queues.iter_mut().enumerate() {
        let reply = queue.request(&head(READ, n as u64), 513).unwrap();
        assert_eq!(reply.bytes[..512], rig.image.bytes.lock()[512 * n..][..512]);
    }
}

#[test]
fn a_request_without_room_for_a_status_comes_back_unwritten() {
    let mut rig = rig();
    assert_eq!(rig.bench.queues[0].request(&head(READ, 0), 0).unwrap().len, 0);
    assert_eq!(rig.read(0, 512).1, OK, "the queue goes on");
}

/// A page of guest memory behind the rings, and where it is for the device.
const PAGE: u64 = 4096;
const PLACE: u64 = RAM - PAGE;
const IOVA: u64 = Behind::SHIFT + PLACE;

/// Sends a request whose data buffer is at `IOVA`; its status and used length.
fn with_buffer(queue: &mut DriverQueue, header: &[u8], len: u32, writable: bool) -> (u8, u32) {
    let status = queue.buffer(1);
    let chain = queue.chain().readable(header).part(IOVA, len, writable);
    chain.part(status + Behind::SHIFT, 1, true).send();
    queue.kick_if_wanted();
    let used = queue.wait(5 * SECOND).expect("the request comes back");
    let mut byte = [0];
    queue.memory().read_slice(&mut byte, GuestAddress(status)).unwrap();
    (byte[0], used.len)
}

/// Flags of the mapping if there is one, request, whether its buffer is writable; then status and faults.
type Case = (Option<u32>, u32, bool, u8, &'static [(u64, &'static str)]);

#[test]
fn a_buffer_that_is_not_mapped_fails_its_request_and_is_told() {
    let mut rig = rig_of(FakeImage::new(), options(), true);
    let behind = rig.behind.take().unwrap();
    let disk = rig.image.bytes.lock().clone();
    // Not mapped; read-only for the device; write-only; and mapped in its first half only.
    let cases: [Case; 6] = [
        (None, READ, true, IOERR, &[(IOVA, "w")]),
        (None, WRITE, false, IOERR, &[(IOVA, "r")]),
        (Some(1), READ, true, IOERR, &[(IOVA, "w")]),
        (Some(1), WRITE, false, OK, &[]),
        (Some(2), READ, true, OK, &[]),
        (Some(2), WRITE, false, IOERR, &[(IOVA, "r")]),
    ];
    for (flags, kind, writable, want, faults) in cases {
        behind.unmap(IOVA, PAGE);
        if let Some(flags) = flags {
            assert_eq!(behind.map(IOVA, PAGE, PLACE, flags), IommuStatus::Ok);
        }
        behind.mem.write_slice(&[0x77; PAGE as usize], GuestAddress(PLACE)).unwrap();
        let (status, len) = with_buffer(&mut rig.bench.queues[0], &head(kind, 0), 512, writable);
        let name = format!("flags {flags:?}, request {kind}");
        assert_eq!((status, behind.faults().as_slice()), (want, faults), "{name}");
        assert_eq!(
            len,
            if kind == READ && want == IOERR {
                0
            } else if kind == READ {
                513
            } else {
                1
            },
            "{name}"
        );
        let mut bytes = vec![0; PAGE as usize];
        behind.mem.read_slice(&mut bytes, GuestAddress(PLACE)).unwrap();
        assert_eq!(bytes[0] == 0x77, !(kind == READ && want == OK), "{name}: the guest's page");
        let now = rig.image.bytes.lock().clone();
        assert_eq!(now == disk, !(kind == WRITE && want == OK), "{name}: the disk");
        *rig.image.bytes.lock() = disk.clone();
    }
    assert!(!rig.bench.interrupt.asked_for_reset());
}

/// The guest takes a buffer away again and again while the disk fills it: after each answer not a byte of it changes.
#[test]
fn unmap_under_io_ends_the_io() {
    let mut rig = rig_of(FakeImage::new(), options(), true);
    let behind = rig.behind.take().unwrap();
    let mut queue = rig.bench.queues.remove(0);
    let mut faulted = 0;
    for round in 0..200u32 {
        let status = queue.buffer(1);
        for _ in 0..4 {
            let chain = queue.chain().readable(&head(READ, 0)).part(IOVA, PAGE as u32, true);
            chain.part(status + Behind::SHIFT, 1, true).send();
        }
        queue.kick();
        if round % 3 == 0 {
            std::thread::yield_now();
        }
        assert_eq!(behind.unmap(IOVA, PAGE), IommuStatus::Ok);
        behind.mem.write_slice(&[0x77; PAGE as usize], GuestAddress(PLACE)).unwrap();
        for _ in 0..4 {
            queue.wait(5 * SECOND).expect("each request comes back");
        }
        let mut bytes = vec![0; PAGE as usize];
        behind.mem.read_slice(&mut bytes, GuestAddress(PLACE)).unwrap();
        assert!(bytes.iter().all(|byte| *byte == 0x77), "round {round}: written after the answer");
        faulted += behind.faults().len();
        assert_eq!(behind.map(IOVA, PAGE, PLACE, 3), IommuStatus::Ok);
    }
    assert!(faulted > 0, "no request came too late; the test has shown nothing");
    assert!(!rig.bench.interrupt.asked_for_reset());
}

#[test]
fn a_ring_taken_away_or_an_endpoint_detached_ends_in_needs_reset() {
    type End = (&'static str, fn(&mut Behind, u64));
    let ends: [End; 4] = [
        ("descriptors unmapped", |behind, ring| assert_eq!(behind.unmap(ring, PAGE), IommuStatus::Ok)),
        ("detach", |behind, _| assert_eq!(behind.detach(), IommuStatus::Ok)),
        ("reset of the IOMMU", |behind, _| behind.viommu.reset()),
        ("bypass", |behind, _| {
            // The ring's addresses mean other things now: none that is RAM.
            assert_eq!(behind.attach_bypass(), IommuStatus::Ok);
        }),
    ];
    for (name, end) in ends {
        let mut rig = rig_of(FakeImage::new(), options(), true);
        let mut behind = rig.behind.take().unwrap();
        assert_eq!(rig.read(0, 512).1, OK);
        end(&mut behind, Behind::SHIFT + rig.bench.queues[0].layout.desc);
        rig.bench.queues[0].chain().readable(&head(READ, 0)).writable(513).send();
        rig.bench.queues[0].kick();
        assert!(rig.bench.interrupt.wait_needs_reset(5 * SECOND), "{name}");
        assert!(!behind.faults().is_empty(), "{name}");
        let begun = Instant::now();
        rig.device.reset();
        assert!(begun.elapsed() < 5 * SECOND, "{name}");
    }
}

#[test]
fn a_chain_that_breaks_the_ring_stops_one_queue_and_the_reset_heals_it() {
    let mut rig = rig();
    rig.bench.queues[0].raw(0, RawDesc { addr: 0, len: 16, flags: RawDesc::NEXT, next: 0 });
    rig.bench.queues[0].publish(0);
    rig.bench.queues[0].kick();
    assert!(rig.bench.interrupt.wait_needs_reset(5 * SECOND));
    rig.device.reset();
    let mut bench = Bench::new(ram(RAM), &rig.device, 0);
    rig.device.activate(bench.activation()).unwrap();
    assert_eq!(bench.queues[0].request(&head(READ, 0), 513).unwrap().len, 513);
}
