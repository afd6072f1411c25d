//! Getting a processor out of KVM_RUN from another thread, without a window in which the kick is lost.
//!
//! A kick first sets `immediate_exit` in the processor's shared page, then signals its thread. Not yet in KVM_RUN: the kernel
//! sees the flag on entry. Inside: the signal ends it. Either way the current or the next run ends as interrupted.

use std::io;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU8, Ordering, fence};
use std::thread::ThreadId;

use kvm_bindings::kvm_run;
use sync::Mutex;
use vmm_sys_util::signal::{SIGRTMIN, register_signal_handler, unblock_signal};

/// Installs the (empty) handler of the kick signal for the whole process; to be called before any processor runs. Without it
/// the first kick would end the process.
pub fn install_signal_handler() -> io::Result<()> {
    extern "C" fn ignore(_: libc::c_int, _: *mut libc::siginfo_t, _: *mut libc::c_void) {}
    register_signal_handler(SIGRTMIN(), ignore).map_err(io::Error::from)
}

/// The byte `immediate_exit` of a mapped `kvm_run`.
struct Flag(NonNull<u8>);

// SAFETY: the byte is only ever used through an atomic, and `Target` clears the pointer before the page is unmapped.
unsafe impl Send for Flag {}

struct Target {
    /// Present while the processor exists.
    flag: Mutex<Option<Flag>>,
    /// Thread that runs it; 0 before the first run.
    tid: AtomicI32,
}

/// Interrupts one processor; harmless once that is gone.
#[derive(Clone)]
pub struct VcpuKicker(Arc<Target>);

impl VcpuKicker {
    /// Makes the current run, or the next one, return [`Interrupted`](crate::Exit::Interrupted).
    pub fn kick(&self) {
        let flag = self.0.flag.lock();
        let Some(Flag(byte)) = &*flag else { return };
        // SAFETY: the page is mapped while the pointer is here (the lock is held), and a byte is always aligned.
        unsafe { AtomicU8::from_ptr(byte.as_ptr()) }.store(1, Ordering::SeqCst);
        let tid = self.0.tid.load(Ordering::SeqCst);
        if tid != 0 {
            // SAFETY: sends a signal whose handler does nothing to a thread of this process; a thread that is gone is ESRCH,
            // and a new one with its number takes no harm from an empty handler.
            unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), tid, SIGRTMIN()) };
        }
    }
}

/// The processor's own side.
pub(crate) struct KickState {
    target: Arc<Target>,
    byte: NonNull<u8>,
    thread: Option<ThreadId>,
}

// SAFETY: `byte` points into the page of the processor that owns this value and moves with it; see `Flag`.
unsafe impl Send for KickState {}

impl KickState {
    /// For the processor with this shared page, which must stay mapped until the value is dropped.
    pub(crate) fn new(run: &mut kvm_run) -> KickState {
        let byte = NonNull::from(&mut run.immediate_exit);
        let target = Target { flag: Mutex::new(Some(Flag(byte))), tid: AtomicI32::new(0) };
        KickState { target: Arc::new(target), byte, thread: None }
    }

    /// A handle for other threads.
    pub(crate) fn kicker(&self) -> VcpuKicker {
        VcpuKicker(self.target.clone())
    }

    /// To be called before each KVM_RUN: the calling thread is the one to signal.
    pub(crate) fn enter(&mut self) -> io::Result<()> {
        let here = std::thread::current().id();
        if self.thread == Some(here) {
            return Ok(());
        }
        unblock_signal(SIGRTMIN()).map_err(|e| io::Error::other(format!("{e:?}")))?;
        // SAFETY: asks for the number of this thread.
        let tid = unsafe { libc::syscall(libc::SYS_gettid) };
        self.target.tid.store(tid as i32, Ordering::SeqCst);
        // A kicker that still reads the old number has set the flag before, and KVM_RUN reads it after this.
        fence(Ordering::SeqCst);
        self.thread = Some(here);
        Ok(())
    }

    /// To be called after KVM_RUN was interrupted, before the caller is told: later kicks count anew.
    pub(crate) fn taken(&self) {
        // SAFETY: the page is mapped as long as the owner of this value lives, and a byte is always aligned.
        unsafe { AtomicU8::from_ptr(self.byte.as_ptr()) }.store(0, Ordering::SeqCst);
    }
}

impl Drop for KickState {
    fn drop(&mut self) {
        *self.target.flag.lock() = None;
    }
}

#[cfg(test)]
mod tests;
