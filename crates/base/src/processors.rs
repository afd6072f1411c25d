//! What this thread gets of the processors: how many it may use, for how long it had one, and how soon it gets one.

use std::io;
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

/// Asks for a processor soon rather than for long: this thread, and those that it makes from now on, take turns of this length (at
/// least 100 us), and when one of them wakes it need not wait until the turn of a thread with longer ones is over.
///
/// Linux listens to it from 6.12 on; older kernels take it and do nothing. Whoever started us with real-time threads, or with
/// threads that run when nobody else does, keeps them as they are.
pub fn take_short_turns(turn: Duration) -> io::Result<()> {
    // SAFETY: takes and gives numbers; thread 0 is the caller. The library's own function does not work everywhere.
    let policy = unsafe { libc::syscall(libc::SYS_sched_getscheduler, 0) };
    let shares = [libc::SCHED_OTHER, libc::SCHED_BATCH].map(i64::from);
    let Some(policy) = shares.into_iter().find(|shared| *shared == policy) else { return Ok(()) };
    let attributes = libc::sched_attr {
        size: size_of::<libc::sched_attr>() as u32,
        sched_policy: policy as u32,
        sched_flags: 0,
        // The call sets all at once.
        sched_nice: rustix::process::getpriority_process(None)?,
        sched_priority: 0,
        sched_runtime: u64::try_from(turn.as_nanos()).unwrap_or(u64::MAX),
        sched_deadline: 0,
        sched_period: 0,
    };
    // SAFETY: the kernel reads a structure whose size stands in it; thread 0 is the caller.
    match unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests;
