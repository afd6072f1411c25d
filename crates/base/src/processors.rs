//! What this thread gets of the processors: how many it may use, and how often it had to give one up.

use std::mem::MaybeUninit;

/// Processors that this thread may run on, at least 1.
pub fn usable_processors() -> u32 {
    rustix::thread::sched_getaffinity(None).map_or(1, |set| set.count().max(1))
}

/// How often the kernel took the processor away from this thread while it wanted to go on. Never falls.
pub fn involuntary_switches() -> u64 {
    let mut usage = MaybeUninit::<libc::rusage>::uninit();
    // SAFETY: the kernel fills the structure that is as large as it expects, or fails and leaves it alone.
    let failed = unsafe { libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr()) } != 0;
    if failed {
        return 0;
    }
    // SAFETY: the call has filled it.
    let usage = unsafe { usage.assume_init() };
    u64::try_from(usage.ru_nivcsw).unwrap_or(0)
}
