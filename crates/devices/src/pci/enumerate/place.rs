//! Packs BARs, and the windows of root ports, into an aperture.
//!
//! Largest alignment first, then by address: no gap is larger than needed, and the result is always the same.

use data_model::{Bdf, Span};

use super::EnumerateError;
use crate::pci::bar::BarKind;

/// Direct mappings need whole pages: no two memory BARs share one.
const PAGE: u64 = 0x1000;

/// Granule of a bridge's memory windows.
const MIB: u64 = 1 << 20;

/// A BAR that wants a place.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// The function.
    pub at: Bdf,
    /// BAR index.
    pub bar: u8,
    /// What it decodes.
    pub kind: BarKind,
    /// Bytes.
    pub size: u64,
    /// The port that the function is behind.
    pub bridge: Option<Bdf>,
}

impl Request {
    fn align(&self) -> u64 {
        if self.kind.is_io() { self.size } else { self.size.max(PAGE) }
    }
}

/// An aperture to fill.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// For messages: which one.
    pub what: &'static str,
    /// Where it lies.
    pub window: Span,
}

/// An aperture filled.
#[derive(Debug)]
pub struct Filled {
    /// Each BAR with its place.
    pub bars: Vec<(Request, Span)>,
    /// Each root port with the window for what is behind it.
    pub bridges: Vec<(Bdf, Span)>,
}

/// Something to be placed as one piece: a BAR of the root bus, or all that is behind one port.
struct Piece {
    align: u64,
    size: u64,
    /// With the offset of each from the start of the piece.
    bars: Vec<(Request, u64)>,
    bridge: Option<Bdf>,
}

/// Places all of `requests`.
pub fn fill(room: Room, requests: &[Request]) -> Result<Filled, EnumerateError> {
    let mut pieces: Vec<Piece> =
        requests.iter().filter(|r| r.bridge.is_none()).map(|r| Piece::bar(*r)).collect();
    let mut ports: Vec<Bdf> = requests.iter().filter_map(|request| request.bridge).collect();
    ports.dedup();
    for port in ports {
        let behind = requests.iter().filter(|request| request.bridge == Some(port)).copied();
        pieces.push(Piece::behind(port, behind.collect(), room)?);
    }
    pieces.sort_by_key(|piece| std::cmp::Reverse(piece.align));
    let mut filled = Filled { bars: Vec::new(), bridges: Vec::new() };
    // Address 0 means "not programmed" to functions.
    let mut next = Some(room.window.start().max(1));
    for piece in &pieces {
        let span = take(next, piece.align, piece.size).filter(|span| room.window.covers(span));
        let span = span.ok_or_else(|| piece.no_room(room))?;
        next = span.next();
        for (request, offset) in &piece.bars {
            let place = Span::from_len(span.start() + offset, request.size);
            filled.bars.push((*request, place.ok_or_else(|| piece.no_room(room))?));
        }
        filled.bridges.extend(piece.bridge.map(|port| (port, span)));
    }
    Ok(filled)
}

/// `size` bytes at the first multiple of `align` from `next` on.
fn take(next: Option<u64>, align: u64, size: u64) -> Option<Span> {
    Span::from_len(next?.checked_next_multiple_of(align)?, size)
}

impl Piece {
    fn bar(request: Request) -> Piece {
        Piece { align: request.align(), size: request.size, bars: vec![(request, 0)], bridge: None }
    }

    fn behind(port: Bdf, mut requests: Vec<Request>, room: Room) -> Result<Piece, EnumerateError> {
        requests.sort_by_key(|request| std::cmp::Reverse(request.align()));
        let align = requests.iter().map(Request::align).fold(MIB, u64::max);
        let mut piece = Piece { align, size: 0, bars: Vec::new(), bridge: Some(port) };
        for request in requests {
            let place = take(Some(piece.size), request.align(), request.size);
            let end = place.and_then(|span| span.next().map(|end| (span.start(), end)));
            let Some((start, end)) = end else { return Err(piece.no_room(room)) };
            piece.bars.push((request, start));
            piece.size = end;
        }
        piece.size = piece.size.checked_next_multiple_of(MIB).ok_or_else(|| piece.no_room(room))?;
        Ok(piece)
    }

    fn no_room(&self, room: Room) -> EnumerateError {
        let Room { what, window } = room;
        match (self.bridge, self.bars.first()) {
            (None, Some((r, _))) => {
                EnumerateError::NoRoom { at: r.at, bar: r.bar, size: r.size, what, window }
            }
            (bridge, _) => {
                EnumerateError::NoRoomBehind { at: bridge.unwrap_or_default(), size: self.size, what, window }
            }
        }
    }
}
