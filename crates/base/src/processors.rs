//! What this thread gets of the processors: how many it may use, and for how long it had one.

use std::mem::MaybeUninit;
use std::time::Duration;

/// Processors that this thread may run on, at least 1.
pub fn usable_processors() -> u32 {
    rustix::thread::sched_getaffinity(None).map_or(1, |set| set.count().max(1))
}

/// Time for which this thread has had a processor; zero where the kernel does not tell.
pub fn thread_time() -> Duration {
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: the kernel fills the structure that is as large as it expects, or fails and leaves it alone.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, time.as_mut_ptr()) } != 0;
    if failed {
        return Duration::ZERO;
    }
    // SAFETY: the call has filled it.
    let time = unsafe { time.assume_init() };
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_nanos(u64::try_from(time.tv_nsec).unwrap_or(0))
}
