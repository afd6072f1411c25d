//! What workers do all day, inside each jail.

use std::collections::HashMap;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::time::{Duration, Instant};

use base::{EventFd, Poller};
use jail::{Channel, Ending, Policy};

use crate::kit::{self, Notes};

pub fn what_a_worker_needs_works(_: &mut Notes) {
    for policy in Policy::ALL {
        let file = tempfile::tempfile().expect("a file");
        let memory = rustix::fs::memfd_create("memory", rustix::fs::MemfdFlags::CLOEXEC).expect("a memfd");
        rustix::fs::ftruncate(&memory, 1 << 20).expect("its size");
        let event = EventFd::new(0).expect("an event");
        let event_fd = kit_dup(&event);
        let launch =
            kit::launch(policy, &["allowed"]).descriptor(file.try_clone().expect("a descriptor").into());
        let launch = launch.descriptor(memory.try_clone().expect("a descriptor")).descriptor(event_fd);
        let mut worker = kit::reports(launch).spawn().expect("it starts");
        // What a policy lacks is named here before the assertion fails.
        let denied = worker.wait_jailed().expect("it gets into its jail").expect("a listener");
        let (tell, told) = mpsc::channel();
        denied.tell(move |call| drop(tell.send(call.to_string()))).expect("a thread");
        let said = kit::hear(&worker);
        assert_eq!(
            (said.as_deref(), worker.wait().expect("it ends")),
            (Some("done"), Ending::Exited(0)),
            "{policy:?}"
        );
        let denied: Vec<String> = told.iter().collect();
        assert!(denied.is_empty(), "{denied:#?}");
        assert_eq!(event.read().expect("the event came"), 3);
        let mut bytes = [0; 5];
        rustix::io::pread(&memory, &mut bytes, 4096).expect("the memory is shared");
        assert_eq!(&bytes, b"guest");
        if policy != Policy::Vfio {
            assert_eq!(file.metadata().expect("a file").len(), 1 << 20, "the image grew");
        }
    }
}

fn kit_dup(event: &EventFd) -> std::os::fd::OwnedFd {
    use std::os::fd::AsRawFd;
    // SAFETY: the event lives.
    let borrowed = unsafe { BorrowedFd::borrow_raw(event.as_raw_fd()) };
    borrowed.try_clone_to_owned().expect("a descriptor")
}

/// Inside. A failure is a panic, whose message goes to standard error: that works too.
pub fn inside(policy: Policy, descriptors: Vec<BorrowedFd<'_>>) {
    let [file, memory, event] = descriptors[..] else { panic!("three descriptors") };
    threads();
    memory_of_all_sizes();
    // glibc gives a second thread an arena of its own, which shrinks in another way.
    std::thread::spawn(|| [memory_of_all_sizes, memory_given_back].map(|run| run()))
        .join()
        .expect("no panic");
    guard_pages();
    shared_memory(memory);
    events(event);
    channels(event);
    let caught = std::thread::spawn(|| std::panic::resume_unwind(Box::new(5))).join();
    assert_eq!(caught.expect_err("it panics").downcast_ref(), Some(&5));
    if policy != Policy::Vfio {
        image(File::from(file.try_clone_to_owned().expect("a descriptor")));
    }
}

fn threads() {
    let shared = Arc::new((Mutex::new(0), Condvar::new()));
    let all: Vec<_> = (0..8)
        .map(|at| {
            let shared = Arc::clone(&shared);
            let thread = std::thread::Builder::new().name(format!("queue {at}"));
            let run = move || {
                *shared.0.lock().expect("no panic") += 1;
                shared.1.notify_all();
                std::thread::yield_now();
            };
            thread.spawn(run).expect("a thread")
        })
        .collect();
    let (guard, late) = shared
        .1
        .wait_timeout_while(shared.0.lock().expect("no panic"), Duration::from_secs(20), |count| *count < 8)
        .expect("no panic");
    assert!(!late.timed_out());
    drop(guard);
    all.into_iter().for_each(|thread| thread.join().expect("no panic"));
    let (sender, receiver) = mpsc::channel::<u8>();
    let begin = Instant::now();
    assert!(receiver.recv_timeout(Duration::from_millis(5)).is_err());
    assert!(begin.elapsed() >= Duration::from_millis(5));
    drop(sender);
    std::thread::scope(|scope| drop(scope.spawn(|| std::thread::park_timeout(Duration::from_millis(1)))));
}

fn memory_of_all_sizes() {
    let mut blocks: Vec<Vec<u8>> = (4..22).map(|shift| vec![1; 1 << shift]).collect();
    for block in &mut blocks {
        block.reserve(block.len() * 3);
        block.resize(block.len() * 2, 2);
        block.shrink_to(16);
    }
    assert_eq!(
        blocks.iter().flatten().filter(|byte| **byte == 2).count(),
        blocks.iter().map(Vec::len).sum::<usize>() / 2
    );
    let map: HashMap<usize, usize> = (0..1000).map(|n| (n, n)).collect();
    assert_eq!(map.len(), 1000);
}

/// Many blocks that are no mappings of their own: when all are free, the end of the heap is given back.
fn memory_given_back() {
    for size in [1 << 10, 30 << 10, 100 << 10] {
        let blocks: Vec<Vec<u8>> = (0..(4 << 20) / size).map(|_| vec![3; size]).collect();
        assert!(blocks.iter().all(|block| block.last() == Some(&3)));
    }
}

/// As glibc 2.42 makes them beside the stacks of threads; kernels before 6.13 do not know them.
fn guard_pages() {
    use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};
    const MADV_GUARD_INSTALL: i32 = 102;
    const MADV_GUARD_REMOVE: i32 = 103;
    // SAFETY: a mapping of our own, which nothing else uses.
    unsafe {
        let page =
            mmap_anonymous(std::ptr::null_mut(), 4096, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
        let page = page.expect("a page");
        for advice in [MADV_GUARD_INSTALL, MADV_GUARD_REMOVE] {
            if libc::madvise(page, 4096, advice) != 0 {
                assert_eq!(std::io::Error::last_os_error().raw_os_error(), Some(libc::EINVAL));
            }
        }
        munmap(page, 4096).expect("and unmapped");
    }
}

fn shared_memory(memory: BorrowedFd<'_>) {
    use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
    // SAFETY: a mapping of our own, used within its length and unmapped before the end.
    unsafe {
        let at = mmap(
            std::ptr::null_mut(),
            1 << 20,
            ProtFlags::READ | ProtFlags::WRITE,
            MapFlags::SHARED,
            memory,
            0,
        );
        let at = at.expect("guest memory can be mapped");
        std::ptr::copy_nonoverlapping(b"guest".as_ptr(), at.cast::<u8>().add(4096), 5);
        munmap(at, 1 << 20).expect("and unmapped");
    }
}

fn events(event: BorrowedFd<'_>) {
    rustix::io::write(event, &3u64.to_ne_bytes()).expect("the event can be signalled");
    let own = EventFd::new(0).expect("an event of its own");
    let mut poller = Poller::new().expect("a poller");
    poller.add(&own, 9).expect("it can watch");
    own.write(1).expect("it can be signalled");
    assert_eq!(poller.wait(Some(1000)).expect("it waits").first().map(|ready| ready.token), Some(9));
    poller.remove(&own).expect("it can stop watching");
    assert!(poller.wait(Some(1)).expect("it waits").is_empty());
}

fn channels(event: BorrowedFd<'_>) {
    // A pair cannot be made inside; a thread's own copies of descriptors can.
    let copy = event.try_clone_to_owned().expect("a descriptor can be copied");
    assert!(rustix::io::fcntl_getfd(&copy).is_ok());
    let _ = Channel::from(copy);
}

fn image(file: File) {
    file.write_all_at(&[7; 4096], 8192).expect("it can be written");
    let mut back = [0; 4096];
    file.read_exact_at(&mut back, 8192).expect("and read");
    assert_eq!(back, [7; 4096]);
    file.sync_data().expect("and flushed");
    file.sync_all().expect("and flushed");
    file.set_len(1 << 20).expect("and made longer");
    use rustix::fs::FallocateFlags;
    let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    match rustix::fs::fallocate(file.as_fd(), hole, 8192, 4096) {
        Ok(()) => assert_eq!(file.read_exact_at(&mut back, 8192).map(|()| back[0]).expect("a hole"), 0),
        Err(e) => assert_eq!(e, rustix::io::Errno::OPNOTSUPP),
    }
    assert_eq!(file.metadata().expect("facts of an open file").len(), 1 << 20);
    assert_eq!(rustix::fs::seek(&file, rustix::fs::SeekFrom::End(0)), Ok(1 << 20));
}
