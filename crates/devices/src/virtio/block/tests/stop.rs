//! A stop in the middle of a request.

use std::sync::Weak;

use super::*;
use crate::virtio::queue::Ring;
use crate::virtio::testkit::until;
use crate::virtio::thread::Stop;
use crate::virtio::worker::WorkerHandler;

/// Bytes of a request that takes several buffers.
const LONG: u32 = 192 << 10;

/// An image during whose first call the device is told to stop.
struct Interrupted {
    stop: Arc<Stop>,
    calls: AtomicU32,
    /// Zeros must be written.
    plain: bool,
}

impl Interrupted {
    fn call(&self) -> io::Result<()> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.stop.ask();
        Ok(())
    }
}

impl Image for Interrupted {
    fn len(&self) -> u64 {
        DISK as u64
    }

    fn read(&self, _offset: u64, _data: &mut [u8]) -> io::Result<()> {
        self.call()
    }

    fn write(&self, _offset: u64, _data: &[u8]) -> io::Result<()> {
        self.call()
    }

    fn flush(&self) -> io::Result<()> {
        self.call()
    }

    fn discard(&self, _offset: u64, _len: u64) -> io::Result<()> {
        self.call()
    }

    fn write_zeroes(&self, _offset: u64, _len: u64, _unmap: bool) -> io::Result<()> {
        if self.plain { Err(io::ErrorKind::Unsupported.into()) } else { self.call() }
    }
}

#[test]
fn a_stop_waits_for_one_call_to_the_image_and_no_byte_is_written_after() {
    let ranges = [range(0, 300, 0), range(300, 100, 0)].concat();
    let cases: [(&str, Vec<u8>, u32); 7] = [
        ("read", head(READ, 0), LONG),
        ("write", [head(WRITE, 0), vec![1; LONG as usize]].concat(), 0),
        ("write of one buffer", [head(WRITE, 0), vec![1; 512]].concat(), 0),
        ("flush", head(FLUSH, 0), 0),
        ("discard", [head(DISCARD, 0), ranges.clone()].concat(), 0),
        ("zeros", [head(ZEROES, 0), ranges.clone()].concat(), 0),
        ("zeros to be written", [head(ZEROES, 0), ranges].concat(), 0),
    ];
    for (name, request, room) in cases {
        let stop = Stop::new().unwrap();
        let plain = name == "zeros to be written";
        let image = Arc::new(Interrupted { stop: stop.clone(), calls: AtomicU32::new(0), plain });
        // Without FLUSH: a change would be made durable at its end.
        let mut server = Server::new(image.clone(), &options(), 0);
        let mem = ram(RAM);
        let mut driver = DriverQueue::new(mem.clone(), 0x1000, 0x10_0000, 8, false);
        let sent = driver.chain().readable(&request).writable(room + 1).send();
        let mut ring = Ring::new(driver.handle(), mem.clone().into(), 0).0.until(stop);
        let chain = ring.pop().unwrap().unwrap();
        server.handle(0, &chain, &ring).unwrap();
        assert_eq!(image.calls.load(Ordering::SeqCst), 1, "{name}");
        let (address, len) = sent.writable[0];
        let mut bytes = vec![0; len as usize];
        mem.read_slice(&mut bytes, GuestAddress(address)).unwrap();
        assert!(bytes.iter().all(|byte| *byte == 0xa5), "{name}: written after the stop");
    }
}

/// An image whose first sector can be read once the thread of another queue has gone.
struct Patient {
    own: Weak<Patient>,
    /// Reads that have begun, and that have been in vain.
    begun: AtomicU32,
    in_vain: AtomicU32,
}

impl Image for Patient {
    fn len(&self) -> u64 {
        DISK as u64
    }

    fn read(&self, _offset: u64, _data: &mut [u8]) -> io::Result<()> {
        let holders = self.own.strong_count();
        self.begun.fetch_add(1, Ordering::SeqCst);
        if !until(5 * SECOND, || self.own.strong_count() < holders) {
            self.in_vain.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }

    fn write(&self, _offset: u64, _data: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }

    fn discard(&self, _offset: u64, _len: u64) -> io::Result<()> {
        Ok(())
    }

    fn write_zeroes(&self, _offset: u64, _len: u64, _unmap: bool) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn queues_that_wait_for_the_disk_are_stopped_all_at_once() {
    let image = Arc::new_cyclic(|own| Patient {
        own: own.clone(),
        begun: AtomicU32::new(0),
        in_vain: AtomicU32::new(0),
    });
    let mut device = Block::new(image.clone(), BlockOptions { queues: 2, ..options() });
    let mut bench = Bench::new(ram(RAM), &device, 0);
    device.activate(bench.activation()).unwrap();
    bench.queues[0].chain().readable(&head(READ, 0)).writable(513).send();
    bench.queues[0].kick();
    assert!(until(5 * SECOND, || image.begun.load(Ordering::SeqCst) > 0));
    device.reset();
    assert_eq!(image.in_vain.load(Ordering::SeqCst), 0, "one queue was stopped after the other");
    assert_eq!(bench.queues[0].poll(), None);
}
