//! The system calls that have no safe wrapper, each made safe here.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use libc::{c_int, c_long, c_ulong};

/// Closes every descriptor from 3 upwards. To be called before the program has opened anything.
pub(crate) fn close_from_three() -> io::Result<()> {
    // SAFETY: called at the start of `main`: nothing in this process owns a descriptor above 2 yet.
    check(unsafe { libc::syscall(libc::SYS_close_range, 3u32, u32::MAX, 0u32) }).map(drop)
}

/// From here on abort() ends this process with `STATUS`. The first process of a process id namespace ignores SIGABRT otherwise, and
/// libc then ends it by an access that looks like a wild pointer.
pub(crate) fn exit_on_abort<const STATUS: c_int>() -> io::Result<()> {
    extern "C" fn exit<const STATUS: c_int>(_: c_int) {
        // SAFETY: ends the process without running anything of it; may be called in a handler.
        unsafe { libc::_exit(STATUS) }
    }
    let handler: extern "C" fn(c_int) = exit::<STATUS>;
    // SAFETY: the handler does nothing but end the process.
    match unsafe { libc::signal(libc::SIGABRT, handler as libc::sighandler_t) } {
        libc::SIG_ERR => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// A sibling of this process that executes `/proc/self/exe` with `argv` and the present environment.
pub(crate) struct Sibling {
    /// Its number as seen from here.
    pub(crate) pid: i32,
    /// It.
    pub(crate) pidfd: OwnedFd,
}

/// Starts a child *of this process's parent* that executes the program again. The process must have one thread.
///
/// `argv` ends the words with `None`. Where the execution fails the child exits with 127.
pub(crate) fn sibling(argv: &[&CStr]) -> io::Result<Sibling> {
    let mut words: Vec<*const libc::c_char> = argv.iter().map(|word| word.as_ptr()).collect();
    words.push(std::ptr::null());
    let mut pidfd: RawFd = -1;
    let flags = libc::CLONE_PARENT | libc::CLONE_PIDFD | libc::SIGCHLD;
    // SAFETY: without CLONE_VM the child has memory of its own, and there is no second thread whose locks it could inherit; it makes two
    // system calls on memory prepared above. Flags, stack and the place of the pidfd are the first three arguments on both architectures.
    unsafe {
        let pid = check(libc::syscall(
            libc::SYS_clone,
            c_long::from(flags),
            0usize,
            &raw mut pidfd,
            0usize,
            0usize,
        ))?;
        if pid == 0 {
            libc::execv(c"/proc/self/exe".as_ptr(), words.as_ptr());
            libc::_exit(127);
        }
        Ok(Sibling { pid: pid.try_into().unwrap_or(-1), pidfd: OwnedFd::from_raw_fd(pidfd) })
    }
}

/// Puts a filter on this process's only thread; the bytes are `struct sock_filter`. With `listen` the answer is the listener.
pub(crate) fn install_filter(program: &[u8], listen: bool) -> io::Result<Option<OwnedFd>> {
    let instruction = |bytes: &[u8; 8]| {
        let [c0, c1, jt, jf, k0, k1, k2, k3] = *bytes;
        libc::sock_filter {
            code: u16::from_le_bytes([c0, c1]),
            jt,
            jf,
            k: u32::from_le_bytes([k0, k1, k2, k3]),
        }
    };
    let mut filter: Vec<libc::sock_filter> = program.as_chunks::<8>().0.iter().map(instruction).collect();
    let len = filter.len().try_into().map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    let program = libc::sock_fprog { len, filter: filter.as_mut_ptr() };
    let flags: c_ulong = if listen { libc::SECCOMP_FILTER_FLAG_NEW_LISTENER } else { 0 };
    // SAFETY: the program and its length describe `filter`, which outlives the call; the kernel checks the program itself.
    let fd = check(unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            c_ulong::from(libc::SECCOMP_SET_MODE_FILTER),
            flags,
            &raw const program,
        )
    })?;
    if !listen {
        return Ok(None);
    }
    let fd = RawFd::try_from(fd).map_err(|_| io::Error::from_raw_os_error(libc::EBADF))?;
    // SAFETY: with this flag the kernel answers with a new descriptor, which nothing else owns.
    Ok(Some(unsafe { OwnedFd::from_raw_fd(fd) }))
}

/// The next denied call of a listener; blocks. `NotFound` when the caller was killed meanwhile or every caller is gone.
pub(crate) fn next_denied(listener: BorrowedFd<'_>) -> io::Result<libc::seccomp_notif> {
    // SAFETY: the structure is plain integers, for which zeros are values; the kernel wants zeros and writes no more than the structure.
    unsafe {
        let mut call: libc::seccomp_notif = std::mem::zeroed();
        let request = libc::SECCOMP_IOCTL_NOTIF_RECV;
        check(libc::ioctl(listener.as_raw_fd(), request, &raw mut call).into())?;
        Ok(call)
    }
}

/// Lets a denied call be carried out all the same.
pub(crate) fn let_pass(listener: BorrowedFd<'_>, id: u64) -> io::Result<()> {
    let flags = u32::try_from(libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE).unwrap_or(1);
    let answer = libc::seccomp_notif_resp { id, val: 0, error: 0 as c_int, flags };
    // SAFETY: the kernel reads exactly this structure.
    check(unsafe {
        libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw const answer).into()
    })
    .map(drop)
}

fn check(result: c_long) -> io::Result<c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
