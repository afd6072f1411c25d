//! The escapes. Each is an attempt that an ordinary process (root's, mostly) carries through.

use std::ffi::CStr;
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use jail::Policy;
use libc::{c_long, syscall};

use crate::kit::{EXECUTED_WORD, is_root};

/// One escape.
pub struct Escape {
    pub name: &'static str,
    /// Ok when it worked, else the error number.
    pub attempt: fn(&Prepared) -> Result<(), i32>,
    /// Policies that allow it because their role needs it.
    pub allowed_in: &'static [Policy],
}

/// What an attempt may use: opened before the jail, as a worker that was taken over might still hold it.
pub struct Prepared {
    pub escape: &'static Escape,
    /// A process outside, to be signalled.
    decoy: i32,
    /// The main process, and an address in it.
    main: i32,
    address: usize,
    uts: File,
    pidfd: OwnedFd,
    null: File,
    host_name: Vec<u8>,
    program: Vec<u8>,
}

impl Prepared {
    pub fn descriptors(&self) -> Vec<RawFd> {
        vec![self.uts.as_raw_fd(), self.pidfd.as_raw_fd(), self.null.as_raw_fd()]
    }
}

/// Opens things; `words`: escape, decoy, main process, address; the descriptor is the decoy's.
pub fn prepare(words: &[&str], pidfd: OwnedFd) -> Prepared {
    let [name, decoy, main, address] = words else { panic!("four words: {words:?}") };
    let escape = ESCAPES.iter().find(|escape| escape.name == *name).expect("a known escape");
    let main: i32 = main.parse().expect("a number");
    let executes = *name == "memfd and exec";
    Prepared {
        escape,
        decoy: decoy.parse().expect("a number"),
        main,
        address: address.parse().expect("an address"),
        uts: File::open("/proc/self/ns/uts").expect("its namespace"),
        pidfd,
        null: File::open("/dev/null").expect("a null device"),
        host_name: rustix::system::uname().nodename().to_bytes().to_vec(),
        program: if executes { std::fs::read("/proc/self/exe").expect("the program") } else { Vec::new() },
    }
}

/// A raw call: its result, or the error number.
fn call(number: c_long, args: [usize; 6]) -> Result<c_long, i32> {
    let [a, b, c, d, e, f] = args;
    // SAFETY: the attempts pass addresses that live through the call, or numbers.
    match unsafe { syscall(number, a, b, c, d, e, f) } {
        -1 => Err(std::io::Error::last_os_error().raw_os_error().unwrap_or(0)),
        result => Ok(result),
    }
}

/// Up to four arguments.
fn sys(number: c_long, args: &[usize]) -> Result<(), i32> {
    let mut all = [0; 6];
    all[..args.len()].copy_from_slice(args);
    call(number, all).map(drop)
}

/// Any answer but SIGSYS means that the call reached the kernel's code.
fn reaches(result: Result<(), i32>) -> Result<(), i32> {
    result.or(Ok(()))
}

fn at(text: &CStr) -> usize {
    text.as_ptr() as usize
}

const CWD: usize = libc::AT_FDCWD as isize as usize;

macro_rules! escape {
    ($name:literal, $attempt:expr) => {
        Escape { name: $name, attempt: $attempt, allowed_in: &[] }
    };
}

fn open(path: &CStr, flags: i32) -> Result<(), i32> {
    sys(libc::SYS_openat, &[CWD, at(path), flags as usize, 0o600])
}

fn execute(fd: usize, path: &CStr, flags: i32) -> Result<(), i32> {
    let word = std::ffi::CString::new(EXECUTED_WORD).expect("a word");
    let argv = [path.as_ptr(), word.as_ptr(), std::ptr::null()];
    sys(libc::SYS_execveat, &[fd, at(path), argv.as_ptr() as usize, 0, flags as usize])
}

fn memfd_and_exec(prepared: &Prepared) -> Result<(), i32> {
    let fd = call(libc::SYS_memfd_create, [at(c"x"), 0, 0, 0, 0, 0])? as usize;
    let mut rest = &prepared.program[..];
    while !rest.is_empty() {
        let done = call(libc::SYS_write, [fd, rest.as_ptr() as usize, rest.len(), 0, 0, 0])?;
        rest = &rest[done as usize..];
    }
    execute(fd, c"", libc::AT_EMPTY_PATH)
}

fn new_process(flags: i32) -> Result<(), i32> {
    match call(libc::SYS_clone, [flags as usize, 0, 0, 0, 0, 0])? {
        // SAFETY: the copy ends at once.
        0 => unsafe { libc::_exit(0) },
        _ => Ok(()),
    }
}

fn vm(number: c_long, prepared: &Prepared) -> Result<(), i32> {
    let mut own = [0x5au8; 64];
    let local = libc::iovec { iov_base: own.as_mut_ptr().cast(), iov_len: 64 };
    let remote = libc::iovec { iov_base: prepared.address as *mut _, iov_len: 64 };
    let args = [prepared.main as usize, &raw const local as usize, 1, &raw const remote as usize, 1, 0];
    call(number, args).map(drop)
}

fn executable_memory(_: &Prepared) -> Result<(), i32> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    let prot = libc::PROT_READ | libc::PROT_EXEC;
    call(libc::SYS_mmap, [0, 4096, prot as usize, flags as usize, usize::MAX, 0]).map(drop)
}

fn memory_made_executable(number: c_long) -> Result<(), i32> {
    let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as usize;
    let prot = libc::PROT_READ | libc::PROT_WRITE;
    let page = call(libc::SYS_mmap, [0, 4096, prot as usize, flags, usize::MAX, 0])? as usize;
    let prot = libc::PROT_READ | libc::PROT_EXEC;
    call(number, [page, 4096, prot as usize, usize::MAX, 0, 0]).map(drop)
}

fn perf() -> Result<(), i32> {
    // struct perf_event_attr: type software (1), size 64, config dummy (9), exclude_kernel | exclude_hv.
    let mut attr = [0u64; 8];
    attr[0] = 1 | 64 << 32;
    attr[1] = 9;
    attr[5] = 1 << 5 | 1 << 6;
    sys(libc::SYS_perf_event_open, &[attr.as_ptr() as usize, 0, usize::MAX, usize::MAX, 0])
}

fn bpf() -> Result<(), i32> {
    // struct bpf_attr of BPF_MAP_CREATE: an array of one entry.
    let attr = [2u32, 4, 4, 1, 0, 0, 0, 0];
    sys(libc::SYS_bpf, &[0, attr.as_ptr() as usize, 32])
}

fn io_uring() -> Result<(), i32> {
    let params = [0u8; 120];
    sys(libc::SYS_io_uring_setup, &[4, params.as_ptr() as usize])
}

fn name_to_handle() -> Result<(), i32> {
    let (handle, mut mount) = ([128u32; 40], 0i32);
    sys(
        libc::SYS_name_to_handle_at,
        &[CWD, at(c"/proc/.."), handle.as_ptr() as usize, &raw mut mount as usize, 0],
    )
}

fn open_by_handle() -> Result<(), i32> {
    let (mut handle, mut mount) = ([0u32; 40], 0i32);
    handle[0] = 128;
    let named = [CWD, at(c"/"), handle.as_ptr() as usize, &raw mut mount as usize, 0, 0];
    call(libc::SYS_name_to_handle_at, named)?;
    sys(libc::SYS_open_by_handle_at, &[CWD, handle.as_ptr() as usize, 0])
}

fn ioctl(prepared: &Prepared, request: usize) -> Result<(), i32> {
    reaches(sys(libc::SYS_ioctl, &[prepared.null.as_raw_fd() as usize, request, 0]))
}

fn shared_memory() -> Result<(), i32> {
    let id = call(libc::SYS_shmget, [0, 4096, 0o1600, 0, 0, 0])? as usize;
    sys(libc::SYS_shmctl, &[id, libc::IPC_RMID as usize, 0])
}

/// All of them.
#[rustfmt::skip]
pub const ESCAPES: &[Escape] = &[
    escape!("open /proc", |_| open(c"/proc/self/status", libc::O_RDONLY)),
    escape!("open /etc/passwd", |_| open(c"/etc/passwd", libc::O_RDONLY)),
    escape!("open /dev/kvm's neighbour", |_| open(c"/dev/zero", libc::O_RDWR)),
    escape!("create a file", |_| open(c"/tmp", libc::O_TMPFILE | libc::O_RDWR)),
    escape!("openat2", |_| { let how = [0u64; 3]; sys(libc::SYS_openat2, &[CWD, at(c"/"), how.as_ptr() as usize, 24]) }),
    escape!("readlink", |_| { let out = [0u8; 64]; sys(libc::SYS_readlinkat, &[CWD, at(c"/proc/self"), out.as_ptr() as usize, 64]) }),
    escape!("stat by path", |_| { let out = [0u8; 256]; sys(libc::SYS_statx, &[CWD, at(c"/etc/passwd"), 0, 0x7ff, out.as_ptr() as usize]) }),
    escape!("chdir", |_| sys(libc::SYS_chdir, &[at(c"/etc")])),
    escape!("memfd and exec", memfd_and_exec),
    escape!("execve", |_| execute(CWD, c"/proc/self/exe", 0)),
    escape!("fork", |_| new_process(libc::SIGCHLD)),
    escape!("clone into a user namespace", |_| new_process(libc::SIGCHLD | libc::CLONE_NEWUSER)),
    escape!("clone3", |_| { let mut args = [0u64; 8]; args[4] = 17; match call(libc::SYS_clone3, [args.as_ptr() as usize, 64, 0, 0, 0, 0])? {
        // SAFETY: the copy ends at once.
        0 => unsafe { libc::_exit(0) }, _ => Ok(()) } }),
    escape!("ptrace the decoy", |p| sys(libc::SYS_ptrace, &[0x4206, p.decoy as usize, 0, 0])),
    escape!("socket inet", |_| sys(libc::SYS_socket, &[libc::AF_INET as usize, libc::SOCK_STREAM as usize, 0])),
    escape!("socket unix", |_| sys(libc::SYS_socket, &[libc::AF_UNIX as usize, libc::SOCK_STREAM as usize, 0])),
    escape!("socket netlink", |_| sys(libc::SYS_socket, &[libc::AF_NETLINK as usize, libc::SOCK_RAW as usize, 0])),
    escape!("mount", |_| { let tmpfs = at(c"tmpfs"); sys(libc::SYS_mount, &[tmpfs, at(c"/mnt"), tmpfs, 0, 0])?; sys(libc::SYS_umount2, &[at(c"/mnt"), 2]) }),
    escape!("fsopen", |_| sys(libc::SYS_fsopen, &[at(c"tmpfs"), 0])),
    escape!("open_tree", |_| sys(libc::SYS_open_tree, &[CWD, at(c"/"), 1])),
    escape!("unshare a user namespace", |_| sys(libc::SYS_unshare, &[libc::CLONE_NEWUSER as usize])),
    escape!("unshare mounts", |_| sys(libc::SYS_unshare, &[libc::CLONE_NEWNS as usize])),
    escape!("setns", |p| sys(libc::SYS_setns, &[p.uts.as_raw_fd() as usize, libc::CLONE_NEWUTS as usize])),
    escape!("sethostname", |p| sys(libc::SYS_sethostname, &[p.host_name.as_ptr() as usize, p.host_name.len()])),
    escape!("bpf", |_| bpf()),
    escape!("userfaultfd", |_| sys(libc::SYS_userfaultfd, &[1])),
    escape!("io_uring_setup", |_| io_uring()),
    escape!("process_vm_readv", |p| vm(libc::SYS_process_vm_readv, p)),
    escape!("process_vm_writev", |p| vm(libc::SYS_process_vm_writev, p)),
    escape!("pidfd_open", |p| sys(libc::SYS_pidfd_open, &[p.main as usize, 0])),
    escape!("pidfd_getfd", |p| sys(libc::SYS_pidfd_getfd, &[p.pidfd.as_raw_fd() as usize, 1, 0])),
    escape!("signal by pidfd", |p| sys(libc::SYS_pidfd_send_signal, &[p.pidfd.as_raw_fd() as usize, 10, 0, 0])),
    escape!("kill", |p| sys(libc::SYS_kill, &[p.main as usize, 0])),
    escape!("tgkill with the one signal allowed", |p| sys(libc::SYS_tgkill, &[p.decoy as usize, p.decoy as usize, libc::SIGABRT as usize])),
    escape!("tkill with the one signal allowed", |p| sys(libc::SYS_tkill, &[p.decoy as usize, libc::SIGABRT as usize])),
    escape!("prlimit of the main process", |p| { let old = [0u64; 2]; sys(libc::SYS_prlimit64, &[p.main as usize, 7, 0, old.as_ptr() as usize]) }),
    escape!("kcmp", |p| sys(libc::SYS_kcmp, &[p.main as usize, p.decoy as usize, 1, 0, 0])),
    escape!("keyctl", |_| sys(libc::SYS_keyctl, &[0, -3isize as usize, 1])),
    escape!("add_key", |_| sys(libc::SYS_add_key, &[at(c"user"), at(c"x"), at(c"y"), 1, -3isize as usize])),
    escape!("perf_event_open", |_| perf()),
    escape!("mknod", |_| { sys(libc::SYS_mknodat, &[CWD, at(c"/tmp/mixvm-escape"), 0o010_600, 0])?; sys(libc::SYS_unlinkat, &[CWD, at(c"/tmp/mixvm-escape"), 0]) }),
    escape!("chroot", |_| sys(libc::SYS_chroot, &[at(c"/")])),
    escape!("pivot_root", |_| match sys(libc::SYS_pivot_root, &[at(c"/"), at(c"/")]) { Err(libc::EBUSY | libc::EINVAL) => Ok(()), other => other }),
    escape!("setuid", |_| sys(libc::SYS_setuid, &[if is_root() { 12345 } else { rustix::process::getuid().as_raw() as usize }])),
    escape!("setgroups", |_| sys(libc::SYS_setgroups, &[0, 0])),
    escape!("setsid", |_| sys(libc::SYS_setpgid, &[0, 0])),
    escape!("name_to_handle_at", |_| name_to_handle()),
    escape!("open_by_handle_at", |_| open_by_handle()),
    escape!("prctl PR_SET_DUMPABLE", |_| sys(libc::SYS_prctl, &[libc::PR_SET_DUMPABLE as usize, 1])),
    escape!("prctl PR_SET_PTRACER", |_| sys(libc::SYS_prctl, &[libc::PR_SET_PDEATHSIG as usize, 0])),
    escape!("personality", |_| sys(libc::SYS_personality, &[0xffff_ffff])),
    escape!("mmap executable", executable_memory),
    escape!("mprotect to executable", |_| memory_made_executable(libc::SYS_mprotect)),
    escape!("pkey_mprotect to executable", |_| memory_made_executable(libc::SYS_pkey_mprotect)),
    escape!("shared memory", |_| shared_memory()),
    escape!("inotify", |_| sys(libc::SYS_inotify_init1, &[0])),
    escape!("fanotify", |_| sys(libc::SYS_fanotify_init, &[0, 0])),
    escape!("ioctl KVM_CREATE_VM", |p| ioctl(p, 0xae01)),
    escape!("ioctl KVM_RUN", |p| ioctl(p, 0xae80)),
    escape!("ioctl VFIO_SET_IOMMU", |p| ioctl(p, 0x3b66)),
    escape!("ioctl VFIO_GROUP_SET_CONTAINER", |p| ioctl(p, 0x3b68)),
    escape!("ioctl VFIO_GROUP_GET_DEVICE_FD", |p| ioctl(p, 0x3b6a)),
    escape!("ioctl VFIO_DEVICE_BIND_IOMMUFD", |p| ioctl(p, 0x3b76)),
    escape!("ioctl TIOCSTI", |p| ioctl(p, libc::TIOCSTI as usize)),
    escape!("ioctl TUNSETIFF", |p| ioctl(p, 0x4004_54ca)),
    Escape {
        name: "ioctl TUNSETQUEUE",
        attempt: |p| ioctl(p, 0x4004_54d9),
        allowed_in: &[Policy::Device, Policy::Viommu],
    },
    Escape { name: "ioctl VFIO_IOMMU_MAP_DMA", attempt: |p| ioctl(p, 0x3b71), allowed_in: &[Policy::Viommu] },
    Escape { name: "ioctl VFIO_IOMMU_UNMAP_DMA", attempt: |p| ioctl(p, 0x3b72), allowed_in: &[Policy::Viommu] },
    Escape { name: "ioctl IOMMU_IOAS_MAP", attempt: |p| ioctl(p, 0x3b85), allowed_in: &[Policy::Viommu] },
    Escape { name: "ioctl VFIO_DEVICE_SET_IRQS", attempt: |p| ioctl(p, 0x3b6e), allowed_in: &[Policy::Vfio] },
    Escape { name: "ioctl VFIO_DEVICE_RESET", attempt: |p| ioctl(p, 0x3b6f), allowed_in: &[Policy::Vfio] },
];
