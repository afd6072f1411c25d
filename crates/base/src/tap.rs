//! A tap device of the host: its other end is a network interface.

use std::fs::File;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;

use libc::{c_int, c_ulong};
use thiserror::Error;
use vmm_sys_util::ioctl::{ioctl_with_mut_ref, ioctl_with_ref, ioctl_with_val};
use vmm_sys_util::ioctl_iow_nr;

const TUN: &str = "/dev/net/tun";
/// `_IOC_TYPE` of the calls.
const TYPE: u32 = b'T' as u32;

ioctl_iow_nr!(TUNSETIFF, TYPE, 202, c_int);
ioctl_iow_nr!(TUNSETVNETHDRSZ, TYPE, 216, c_int);
ioctl_iow_nr!(TUNSETOFFLOAD, TYPE, 208, c_int);
ioctl_iow_nr!(TUNSETQUEUE, TYPE, 217, c_int);

/// `IFF_TAP | IFF_NO_PI | IFF_VNET_HDR`: Ethernet frames, each led by a virtio-net header.
const FLAGS: u16 = 0x0002 | 0x1000 | 0x4000;
/// `IFF_MULTI_QUEUE`: each descriptor is a queue of its own.
const MULTI_QUEUE: u16 = 0x0100;
/// `IFF_ATTACH_QUEUE` and `IFF_DETACH_QUEUE`
const ATTACH: u16 = 0x0200;
const DETACH: u16 = 0x0400;

/// `struct ifreq`, which TUNSETIFF reads, and writes back with the name that the device got.
#[repr(C)]
struct Request {
    name: [u8; 16],
    flags: u16,
    rest: [u8; 22],
}

/// A tap device could not be opened.
#[derive(Debug, Error)]
#[error("tap device {name:?}: {call}: {source}{}", hint(name, source))]
pub struct TapError {
    /// Its name.
    pub name: String,
    /// What was being done.
    pub call: &'static str,
    /// What the kernel answered.
    pub source: io::Error,
}

fn hint(name: &str, source: &io::Error) -> String {
    match source.raw_os_error() {
        Some(libc::ENOENT | libc::ENODEV | libc::ENXIO) => ". Load the module: `modprobe tun`".to_owned(),
        Some(libc::EPERM | libc::EACCES) => format!(
            ". It must be there and yours: `ip tuntap add dev {name} mode tap user $(id -un) && ip link set {name} up`"
        ),
        Some(libc::EBUSY) => ". Another program has it open".to_owned(),
        Some(libc::EINVAL) => format!(
            ". It must be a tap device, with `multi_queue` if the card has several pairs of queues and without it if not: \
             `ip -d link show {name}` tells"
        ),
        _ => String::new(),
    }
}

/// Opens `queues` queues of the tap device `name`, which the kernel makes when it is not there and this process may do so. The
/// descriptors do not block; each packet is led by a virtio-net header of `header` bytes, and what comes in needs nothing
/// completed.
///
/// # Errors
/// The name is no name of an interface, or the kernel refuses.
pub fn open_tap(name: &str, header: usize, queues: u16) -> Result<Vec<OwnedFd>, TapError> {
    let flags = if queues > 1 { FLAGS | MULTI_QUEUE } else { FLAGS };
    (0..queues).map(|_| open_queue(name, header, flags)).collect()
}

/// Puts a queue of a tap device with several to use, or out of it: then the kernel puts no packet into it.
///
/// # Errors
/// The queue is in that state already, or is not one of several.
pub fn switch_tap_queue(queue: BorrowedFd<'_>, on: bool) -> io::Result<()> {
    let request = Request { name: [0; 16], flags: if on { ATTACH } else { DETACH }, rest: [0; 22] };
    // SAFETY: the kernel reads one `struct ifreq`, whose size and start `Request` has.
    check(unsafe { ioctl_with_ref(&queue, TUNSETQUEUE() as c_ulong, &request) })
}

fn open_queue(name: &str, header: usize, flags: u16) -> Result<OwnedFd, TapError> {
    let failed =
        |call: &'static str| move |source: io::Error| TapError { name: name.to_owned(), call, source };
    let mut request = Request { name: [0; 16], flags, rest: [0; 22] };
    if !is_interface_name(name) {
        let why = "a name has 1 to 15 bytes, without white space, `/` and `%`";
        return Err(failed("the name")(io::Error::new(io::ErrorKind::InvalidInput, why)));
    }
    for (to, from) in request.name.iter_mut().zip(name.bytes()) {
        *to = from;
    }
    let tap = File::options().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(TUN);
    let tap = tap.map_err(failed("opening /dev/net/tun"))?;
    // SAFETY: the kernel reads and writes one `struct ifreq`, whose size and start `Request` has.
    check(unsafe { ioctl_with_mut_ref(&tap, TUNSETIFF() as c_ulong, &mut request) })
        .map_err(failed("TUNSETIFF"))?;
    let header = c_int::try_from(header).unwrap_or(c_int::MAX);
    // SAFETY: the kernel reads one number.
    check(unsafe { ioctl_with_ref(&tap, TUNSETVNETHDRSZ() as c_ulong, &header) })
        .map_err(failed("TUNSETVNETHDRSZ"))?;
    // SAFETY: the argument is the number 0, not an address: no offloads.
    check(unsafe { ioctl_with_val(&tap, TUNSETOFFLOAD() as c_ulong, 0) }).map_err(failed("TUNSETOFFLOAD"))?;
    Ok(tap.into())
}

/// What the kernel takes as a name; `%` would make it choose a number.
fn is_interface_name(name: &str) -> bool {
    let fine = |byte: u8| byte.is_ascii_graphic() && byte != b'/' && byte != b'%';
    (1..=15).contains(&name.len()) && name.bytes().all(fine) && name != "." && name != ".."
}

fn check(answer: c_int) -> io::Result<()> {
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
