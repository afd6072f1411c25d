//! The names that policies may use for argument values.
//!
//! The build script runs on the building machine: only constants that are the same on x86_64 and aarch64, with either libc, may stand here.

use libc::c_int;

/// An ioctl number without size or direction, as `_IO(kind, number)` makes it.
const fn io(kind: u8, number: u64) -> u64 {
    (kind as u64) << 8 | number
}

const fn vfio(number: u64) -> u64 {
    io(b';', 100 + number)
}

const fn iommufd(number: u64) -> u64 {
    io(b';', 0x80 + number)
}

macro_rules! from_libc {
    ($($name:ident)*) => { &[$((stringify!($name), libc::$name as i64)),*] };
}

/// What libc knows; the value as the kernel gets it in a register of 64 bits.
#[rustfmt::skip]
const LIBC: &[(&str, i64)] = from_libc! {
    PROT_NONE PROT_READ PROT_WRITE PROT_EXEC
    MAP_PRIVATE MAP_SHARED MAP_ANONYMOUS MAP_NORESERVE MAP_STACK MAP_POPULATE MAP_FIXED MREMAP_MAYMOVE
    MADV_DONTNEED MADV_FREE MADV_WILLNEED MADV_DONTDUMP MADV_DONTFORK MADV_HUGEPAGE MADV_NOHUGEPAGE MADV_REMOVE
    F_DUPFD_CLOEXEC F_GETFD F_SETFD F_GETFL FD_CLOEXEC
    CLONE_VM CLONE_FS CLONE_FILES CLONE_SYSVSEM CLONE_SIGHAND CLONE_THREAD CLONE_SETTLS CLONE_PARENT_SETTID
    CLONE_CHILD_CLEARTID CLONE_DETACHED
    PR_SET_NAME SIGABRT AT_EMPTY_PATH SEEK_SET SEEK_END
    FALLOC_FL_KEEP_SIZE FALLOC_FL_PUNCH_HOLE FALLOC_FL_ZERO_RANGE
    EFD_CLOEXEC EFD_NONBLOCK EPOLL_CLOEXEC EPOLL_CTL_ADD EPOLL_CTL_DEL EPOLL_CTL_MOD
};

/// Masks that libc and the kernel spell by hand, and ioctl numbers (uapi/linux/if_tun.h, vfio.h, iommufd.h).
const OWN: &[(&str, u64)] = &[
    ("FUTEX_WAIT", 0),
    ("FUTEX_WAKE", 1),
    ("FUTEX_REQUEUE", 3),
    ("FUTEX_CMP_REQUEUE", 4),
    ("FUTEX_WAIT_BITSET", 9),
    ("FUTEX_PRIVATE_FLAG", 128),
    ("FUTEX_CLOCK_REALTIME", 256),
    // uapi/asm-generic/mman-common.h, since Linux 6.13
    ("MADV_GUARD_INSTALL", 102),
    ("MADV_GUARD_REMOVE", 103),
    // _IOW('T', 217, int), uapi/linux/if_tun.h
    ("TUNSETQUEUE", 0x4004_54d9),
    ("VFIO_DEVICE_GET_INFO", vfio(7)),
    ("VFIO_DEVICE_GET_REGION_INFO", vfio(8)),
    ("VFIO_DEVICE_GET_IRQ_INFO", vfio(9)),
    ("VFIO_DEVICE_SET_IRQS", vfio(10)),
    ("VFIO_DEVICE_RESET", vfio(11)),
    ("VFIO_IOMMU_GET_INFO", vfio(12)),
    ("VFIO_IOMMU_MAP_DMA", vfio(13)),
    ("VFIO_IOMMU_UNMAP_DMA", vfio(14)),
    ("VFIO_DEVICE_FEATURE", vfio(17)),
    ("IOMMU_DESTROY", iommufd(0)),
    ("IOMMU_IOAS_ALLOC", iommufd(1)),
    ("IOMMU_IOAS_COPY", iommufd(3)),
    ("IOMMU_IOAS_IOVA_RANGES", iommufd(4)),
    ("IOMMU_IOAS_MAP", iommufd(5)),
    ("IOMMU_IOAS_UNMAP", iommufd(6)),
    ("IOMMU_IOAS_MAP_FILE", iommufd(15)),
];

/// The value of a name.
pub fn value(name: &str) -> Option<u64> {
    let own = OWN.iter().find(|(own, _)| *own == name).map(|(_, value)| *value);
    own.or_else(|| LIBC.iter().find(|(libc, _)| *libc == name).map(|(_, value)| value.cast_unsigned()))
}

/// The error numbers that a policy may answer with.
pub fn errno(name: &str) -> Option<u16> {
    let errors: &[(&str, c_int)] =
        &[("ENOSYS", libc::ENOSYS), ("EPERM", libc::EPERM), ("EINVAL", libc::EINVAL)];
    let (_, number) = errors.iter().find(|(error, _)| *error == name)?;
    u16::try_from(*number).ok()
}
