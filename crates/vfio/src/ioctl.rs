//! The ioctl numbers, and the two shapes of call that all the others are made of.

use std::io;
use std::os::fd::AsRawFd;

use libc::{c_int, c_ulong};
use vfio_bindings::bindings::vfio::{VFIO_BASE, VFIO_TYPE};
use vmm_sys_util::ioctl::{ioctl, ioctl_with_mut_ptr, ioctl_with_mut_ref, ioctl_with_ref, ioctl_with_val};
use vmm_sys_util::ioctl_io_nr;

ioctl_io_nr!(VFIO_GET_API_VERSION, VFIO_TYPE as u32, VFIO_BASE);
ioctl_io_nr!(VFIO_CHECK_EXTENSION, VFIO_TYPE as u32, VFIO_BASE + 1);
ioctl_io_nr!(VFIO_SET_IOMMU, VFIO_TYPE as u32, VFIO_BASE + 2);
ioctl_io_nr!(VFIO_GROUP_GET_STATUS, VFIO_TYPE as u32, VFIO_BASE + 3);
ioctl_io_nr!(VFIO_GROUP_SET_CONTAINER, VFIO_TYPE as u32, VFIO_BASE + 4);
ioctl_io_nr!(VFIO_GROUP_UNSET_CONTAINER, VFIO_TYPE as u32, VFIO_BASE + 5);
ioctl_io_nr!(VFIO_GROUP_GET_DEVICE_FD, VFIO_TYPE as u32, VFIO_BASE + 6);
ioctl_io_nr!(VFIO_DEVICE_GET_INFO, VFIO_TYPE as u32, VFIO_BASE + 7);
ioctl_io_nr!(VFIO_DEVICE_GET_REGION_INFO, VFIO_TYPE as u32, VFIO_BASE + 8);
ioctl_io_nr!(VFIO_DEVICE_GET_IRQ_INFO, VFIO_TYPE as u32, VFIO_BASE + 9);
ioctl_io_nr!(VFIO_DEVICE_SET_IRQS, VFIO_TYPE as u32, VFIO_BASE + 10);
ioctl_io_nr!(VFIO_DEVICE_RESET, VFIO_TYPE as u32, VFIO_BASE + 11);
ioctl_io_nr!(VFIO_IOMMU_GET_INFO, VFIO_TYPE as u32, VFIO_BASE + 12);
ioctl_io_nr!(VFIO_IOMMU_MAP_DMA, VFIO_TYPE as u32, VFIO_BASE + 13);
ioctl_io_nr!(VFIO_IOMMU_UNMAP_DMA, VFIO_TYPE as u32, VFIO_BASE + 14);

/// The most that a variable answer may grow to, in bytes.
const MOST: usize = 64 * 1024;

/// A kernel structure whose ioctl reads or writes exactly `size_of::<Self>()` bytes: its `argsz` says so.
///
/// # Safety
/// The type is plain data of `repr(C)`, and the ioctl it is passed to takes this structure.
pub(crate) unsafe trait Argument {}

/// An ioctl without an argument.
pub(crate) fn plain(fd: &impl AsRawFd, request: c_ulong) -> io::Result<c_int> {
    // SAFETY: the kernel takes no pointer with these numbers.
    check(unsafe { ioctl(fd, request) })
}

/// An ioctl whose argument is a number.
pub(crate) fn with_value(fd: &impl AsRawFd, request: c_ulong, value: u32) -> io::Result<c_int> {
    // SAFETY: the kernel takes the value as a number, not as an address.
    check(unsafe { ioctl_with_val(fd, request, c_ulong::from(value)) })
}

/// An ioctl that reads a structure.
pub(crate) fn with_ref<T: Argument>(fd: &impl AsRawFd, request: c_ulong, arg: &T) -> io::Result<c_int> {
    // SAFETY: by the promise of `Argument` the kernel reads no further than the structure.
    check(unsafe { ioctl_with_ref(fd, request, arg) })
}

/// An ioctl that reads and writes a structure.
pub(crate) fn with_mut<T: Argument>(fd: &impl AsRawFd, request: c_ulong, arg: &mut T) -> io::Result<c_int> {
    // SAFETY: by the promise of `Argument` the kernel touches no more than the structure, which is ours alone.
    check(unsafe { ioctl_with_mut_ref(fd, request, arg) })
}

/// An ioctl whose argument starts with its size in bytes (`argsz`), and whose answer may be longer than asked for.
///
/// `head` is the argument in 32-bit words; word 0 is overwritten with the size of the buffer. Returns the bytes of the answer.
pub(crate) fn query(fd: &impl AsRawFd, request: c_ulong, head: &[u32]) -> io::Result<Vec<u8>> {
    let mut size = 1024;
    loop {
        let mut buffer = vec![0u64; size / 8];
        for (word, pair) in buffer.iter_mut().zip(head.chunks(2)) {
            *word = join(pair[0], pair.get(1).copied().unwrap_or(0));
        }
        buffer[0] = join(size as u32, head.get(1).copied().unwrap_or(0));
        // SAFETY: the buffer is ours, aligned for any kernel structure, and its first word tells the kernel its size.
        check(unsafe { ioctl_with_mut_ptr(fd, request, buffer.as_mut_ptr()) })?;
        let bytes: Vec<u8> = buffer.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let needed = u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize;
        if needed <= size {
            return Ok(bytes);
        }
        if needed > MOST {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        size = needed.next_multiple_of(8);
    }
}

/// Two words as they lie in memory.
fn join(first: u32, second: u32) -> u64 {
    let [a, b, c, d] = first.to_ne_bytes();
    let [e, f, g, h] = second.to_ne_bytes();
    u64::from_ne_bytes([a, b, c, d, e, f, g, h])
}

/// The result of an ioctl, or its errno.
pub(crate) fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
