//! The files a guest boots from, and how they get into its memory.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use base::GuestMem;
use data_model::Span;
use vm_memory::{Bytes, GuestAddress};

use crate::LoadError;

const PAGE: u64 = 4096;

/// What the user gave the guest to boot; files are read from their start.
#[derive(Debug)]
pub struct BootFiles<'a> {
    /// The kernel.
    pub kernel: &'a mut File,
    /// The initial RAM disk.
    pub initrd: Option<&'a mut File>,
    /// The kernel command line.
    pub cmdline: &'a str,
}

/// Writes `bytes` to guest memory; `what` names them in the error.
pub(crate) fn write(mem: &GuestMem, what: &'static str, address: u64, bytes: &[u8]) -> Result<(), LoadError> {
    mem.write_slice(bytes, GuestAddress(address)).map_err(|e| LoadError::Write {
        what,
        address,
        reason: e.to_string(),
    })
}

/// Checks the command line against the most the kernel reads, in bytes without the terminating zero.
pub(crate) fn check_cmdline(cmdline: &str, limit: usize) -> Result<(), LoadError> {
    if cmdline.len() > limit {
        return Err(LoadError::CmdlineTooLong { len: cmdline.len(), limit });
    }
    if cmdline.bytes().any(|byte| byte == 0) {
        return Err(LoadError::CmdlineZero);
    }
    Ok(())
}

/// Loads the initial RAM disk as high in `room` as it fits, page-aligned; `None` when it is empty.
///
/// `room` is `None` when the kernel left nothing.
pub(crate) fn load_initrd(
    mem: &GuestMem,
    file: &mut File,
    room: Option<Span>,
) -> Result<Option<Span>, LoadError> {
    let size = file.seek(SeekFrom::End(0)).map_err(LoadError::InitrdUnreadable)?;
    file.rewind().map_err(LoadError::InitrdUnreadable)?;
    if size == 0 {
        return Ok(None);
    }
    let span = place_high(size, room)?;
    copy(mem, file, span)?;
    Ok(Some(span))
}

/// The highest page-aligned place for `size` bytes in `room`.
fn place_high(size: u64, room: Option<Span>) -> Result<Span, LoadError> {
    let room_bytes = room.and_then(|room| room.len()).unwrap_or(0);
    let too_big = LoadError::InitrdTooBig { size, room: room_bytes };
    let Some(room) = room else { return Err(too_big) };
    let start = room.last().checked_sub(size - 1).map(|start| start & !(PAGE - 1));
    match start.and_then(|start| Span::from_len(start, size)) {
        Some(span) if room.covers(&span) => Ok(span),
        _ => Err(too_big),
    }
}

fn copy(mem: &GuestMem, file: &mut File, to: Span) -> Result<(), LoadError> {
    let mut piece = vec![0u8; 1 << 20];
    let mut at = to.start();
    let mut left = to.last() - to.start() + 1;
    while left > 0 {
        let n = left.min(piece.len() as u64) as usize;
        let Some(part) = piece.get_mut(..n) else { break };
        file.read_exact(part).map_err(LoadError::InitrdUnreadable)?;
        write(mem, "the initial RAM disk", at, part)?;
        at += n as u64;
        left -= n as u64;
    }
    Ok(())
}
