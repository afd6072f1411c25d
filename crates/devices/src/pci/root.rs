//! The root complex: finds functions by their address, and keeps the buses in step with what their BARs decode.
//!
//! Order of locks: root complex → function → bus. A BAR access takes the function's lock only, a device's threads none of
//! these; so a function may do what it likes under its lock except to call the root complex.

use std::sync::Arc;

use data_model::Bdf;
use sync::Mutex;
use thiserror::Error;

use super::function::{BarWindow, PciFunction};
use super::host_bridge::HostBridge;
use super::regs;
use super::root_port::{RootPort, SharedPort};
use crate::bus::{Bus, BusDevice};

/// A function as the root complex holds it.
pub type SharedFunction = Arc<Mutex<dyn PciFunction>>;

/// A root port's number in the order of [`PciRoot::add_port`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PortId(usize);

/// A function cannot be put where it was asked for.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum PciError {
    /// The root bus is bus 0.
    #[error("{0}: not on the root bus; devices on other buses are put behind a root port")]
    NotRootBus(Bdf),
    /// Somebody is there.
    #[error("{0}: taken by another function")]
    Taken(Bdf),
    /// The port has this function already, or has no such function number (0 to 7).
    #[error("root port {port}: function {function} is taken or does not exist")]
    TakenBehind {
        /// Address of the port.
        port: Bdf,
        /// Function number behind it.
        function: u8,
    },
}

/// Where a function sits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Root(Bdf),
    Behind(PortId, u8),
}

struct Slot {
    place: Place,
    function: SharedFunction,
    /// On the buses now.
    mapped: Vec<BarWindow>,
    /// Decoded, but another device is in the way.
    refused: Vec<BarWindow>,
}

#[derive(Default)]
struct State {
    slots: Vec<Slot>,
    ports: Vec<(Bdf, SharedPort)>,
}

/// The root complex, with a host bridge at 00:00.0.
pub struct PciRoot {
    state: Mutex<State>,
    memory: Arc<Bus>,
    ports: Option<Arc<Bus>>,
}

impl PciRoot {
    /// A root complex whose BARs appear on these buses; `ports` only where the machine has a port space.
    pub fn new(memory: Arc<Bus>, ports: Option<Arc<Bus>>) -> PciRoot {
        let bridge: SharedFunction = Arc::new(Mutex::new(HostBridge::new()));
        let place = Place::Root(Bdf::from_id(0));
        let slot = Slot { place, function: bridge, mapped: Vec::new(), refused: Vec::new() };
        let state = State { slots: vec![slot], ports: Vec::new() };
        PciRoot { state: Mutex::new(state), memory, ports }
    }

    /// Puts a function on the root bus.
    pub fn add(&self, at: Bdf, function: SharedFunction) -> Result<(), PciError> {
        if at.bus() != 0 {
            return Err(PciError::NotRootBus(at));
        }
        let mut state = self.state.lock();
        if state.slots.iter().any(|slot| slot.place == Place::Root(at)) {
            return Err(PciError::Taken(at));
        }
        self.insert(&mut state, Place::Root(at), function);
        Ok(())
    }

    /// Puts a root port on the root bus.
    pub fn add_port(&self, at: Bdf, port: RootPort) -> Result<PortId, PciError> {
        let port = Arc::new(Mutex::new(port));
        self.add(at, port.clone())?;
        let mut state = self.state.lock();
        state.ports.push((at, port));
        Ok(PortId(state.ports.len() - 1))
    }

    /// Puts a function behind a root port, as device 0 of the port's bus.
    pub fn add_behind(&self, port: PortId, function: u8, device: SharedFunction) -> Result<(), PciError> {
        let mut state = self.state.lock();
        let place = Place::Behind(port, function);
        let at = state.ports.get(port.0).map_or(Bdf::from_id(0), |(at, _)| *at);
        if function > 7 || state.slots.iter().any(|slot| slot.place == place) {
            return Err(PciError::TakenBehind { port: at, function });
        }
        self.insert(&mut state, place, device);
        Ok(())
    }

    /// Takes a function from behind a root port, and its BARs off the buses. `None` when there is none.
    pub fn remove_behind(&self, port: PortId, function: u8) -> Option<SharedFunction> {
        let mut state = self.state.lock();
        let index = state.slots.iter().position(|slot| slot.place == Place::Behind(port, function))?;
        let slot = state.slots.swap_remove(index);
        for window in slot.mapped {
            self.unmap(window);
        }
        self.retry(&mut state);
        Some(slot.function)
    }

    /// Takes every function out, at the end of the machine. The buses hold the root complex and it holds the buses, so
    /// nothing would ever be dropped otherwise.
    pub fn dismantle(&self) {
        let mut state = self.state.lock();
        state.ports.clear();
        let slots = std::mem::take(&mut state.slots);
        for window in slots.iter().flat_map(|slot| &slot.mapped) {
            self.unmap(*window);
        }
        // Functions may take their time to stop: not under the lock.
        drop(state);
        drop(slots);
    }

    /// Reads configuration space: any offset and length within a function's 4096 bytes; ones where nobody answers.
    pub fn config_read(&self, at: Bdf, offset: u16, data: &mut [u8]) {
        data.fill(0xff);
        let (function, many) = {
            let state = self.state.lock();
            let Some(index) = state.find(at) else { return };
            let Some(slot) = state.slots.get(index) else { return };
            (slot.function.clone(), state.has_siblings(slot))
        };
        let mut function = function.lock();
        for (place, part) in dwords(offset, data.len()) {
            let Some(piece) = data.get_mut(part.0..part.1) else { return };
            function.config_read(place, piece);
        }
        if many
            && let Some(byte) =
                regs::HEADER_TYPE.checked_sub(offset).and_then(|n| data.get_mut(usize::from(n)))
        {
            *byte |= 0x80;
        }
    }

    /// Writes configuration space, then brings the buses in step with the BARs.
    pub fn config_write(&self, at: Bdf, offset: u16, data: &[u8]) {
        let mut state = self.state.lock();
        let Some(index) = state.find(at) else { return };
        let Some(slot) = state.slots.get(index) else { return };
        let mut function = slot.function.lock();
        for (place, part) in dwords(offset, data.len()) {
            let Some(piece) = data.get(part.0..part.1) else { break };
            function.config_write(place, piece);
        }
        drop(function);
        let reset = state.ports.iter().position(|(port, _)| *port == at);
        let reset =
            reset.filter(|n| state.ports.get(*n).is_some_and(|(_, port)| port.lock().take_bus_reset()));
        let moved = self.sync(&mut state, index);
        let behind = reset.is_some_and(|port| self.reset_behind(&mut state, PortId(port)));
        if moved || behind {
            self.retry(&mut state);
        }
    }

    /// Resets every function: the machine starts anew.
    pub fn reset(&self) {
        let mut state = self.state.lock();
        for index in 0..state.slots.len() {
            if let Some(slot) = state.slots.get(index) {
                slot.function.lock().reset();
            }
            self.sync(&mut state, index);
        }
        self.retry(&mut state);
    }

    /// The windows that functions decode but that collide with another device: not reachable by the guest.
    pub fn refused(&self) -> Vec<BarWindow> {
        self.state.lock().slots.iter().flat_map(|slot| slot.refused.clone()).collect()
    }

    fn insert(&self, state: &mut State, place: Place, function: SharedFunction) {
        state.slots.push(Slot { place, function, mapped: Vec::new(), refused: Vec::new() });
        let last = state.slots.len() - 1;
        self.sync(state, last);
    }

    /// Secondary bus reset; whether somebody was there.
    fn reset_behind(&self, state: &mut State, port: PortId) -> bool {
        let mut any = false;
        for index in 0..state.slots.len() {
            let Some(slot) = state.slots.get(index) else { continue };
            if matches!(slot.place, Place::Behind(p, _) if p == port) {
                slot.function.lock().reset();
                self.sync(state, index);
                any = true;
            }
        }
        any
    }

    /// Puts the windows that a function decodes now on the buses, takes the others off. Whether anything changed.
    fn sync(&self, state: &mut State, index: usize) -> bool {
        let Some(slot) = state.slots.get_mut(index) else { return false };
        let wanted = slot.function.lock().windows();
        let before = slot.mapped.len() + slot.refused.len();
        slot.mapped.retain(|window| wanted.contains(window) || !self.unmap(*window));
        slot.refused.retain(|window| wanted.contains(window));
        let gone = before != slot.mapped.len() + slot.refused.len();
        let known = |window: &BarWindow| slot.mapped.contains(window) || slot.refused.contains(window);
        let new: Vec<BarWindow> = wanted.into_iter().filter(|window| !known(window)).collect();
        let changed = gone || !new.is_empty();
        for window in new {
            if self.map(&slot.function, window) {
                slot.mapped.push(window)
            } else {
                slot.refused.push(window)
            }
        }
        changed
    }

    /// Tries the refused windows again: who stood in the way may have moved.
    fn retry(&self, state: &mut State) {
        for slot in &mut state.slots {
            let refused = std::mem::take(&mut slot.refused);
            let (mapped, refused) = refused.into_iter().partition(|window| self.map(&slot.function, *window));
            slot.mapped.extend::<Vec<BarWindow>>(mapped);
            slot.refused = refused;
        }
    }

    fn bus(&self, io: bool) -> Option<&Bus> {
        if io { self.ports.as_deref() } else { Some(&self.memory) }
    }

    fn map(&self, function: &SharedFunction, window: BarWindow) -> bool {
        if window.io && window.span.last() > 0xffff {
            return false;
        }
        let device = Arc::new(Mutex::new(BarDevice { function: function.clone(), bar: window.bar }));
        self.bus(window.io).is_some_and(|bus| bus.insert(window.span, device).is_ok())
    }

    fn unmap(&self, window: BarWindow) -> bool {
        self.bus(window.io).is_some_and(|bus| bus.remove(window.span))
    }
}

impl State {
    fn find(&self, at: Bdf) -> Option<usize> {
        let place = if at.bus() == 0 {
            Place::Root(at)
        } else {
            let behind = |(_, port): &(Bdf, SharedPort)| port.lock().secondary_bus() == Some(at.bus());
            let port = self.ports.iter().position(behind)?;
            (at.device() == 0).then(|| Place::Behind(PortId(port), at.function()))?
        };
        self.slots.iter().position(|slot| slot.place == place)
    }

    /// Whether `slot` is a function of a device with more functions. All of them say so: Linux looks at function 0 to find
    /// the others, and at each one to put those without access control into one group.
    fn has_siblings(&self, slot: &Slot) -> bool {
        self.slots.iter().any(|other| match (slot.place, other.place) {
            (Place::Root(a), Place::Root(b)) => a.device() == b.device() && a.function() != b.function(),
            (Place::Behind(a, f), Place::Behind(b, g)) => a == b && f != g,
            _ => false,
        })
    }
}

/// Splits an access into pieces of 1, 2 or 4 bytes that cross no dword: (register, (first, end) in the data).
fn dwords(offset: u16, len: usize) -> impl Iterator<Item = (u16, (usize, usize))> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let at = usize::from(offset) + done;
        if done >= len || at >= 4096 {
            return None;
        }
        let room = (4 - at % 4).min(len - done);
        let size = if room == 4 {
            4
        } else if room >= 2 && at % 2 == 0 {
            2
        } else {
            1
        };
        done += size;
        Some((at as u16, (done - size, done)))
    })
}

/// One BAR on a bus.
struct BarDevice {
    function: SharedFunction,
    bar: u8,
}

impl BusDevice for BarDevice {
    fn read(&mut self, offset: u64, data: &mut [u8]) {
        self.function.lock().bar_read(self.bar, offset, data);
    }

    fn write(&mut self, offset: u64, data: &[u8]) {
        self.function.lock().bar_write(self.bar, offset, data);
    }
}

#[cfg(test)]
mod tests;
