//! One message interrupt: a GSI of its own, its event, and the route that the guest programmed.
//!
//! The event is tied to the GSI only while there is a route. A tied event without a route would not simply be lost: KVM puts
//! it off to a worker, which delivers it by whatever route there is when it gets its turn.

use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use base::EventFd;
use sync::Mutex;

use crate::irq::{IrqError, IrqRoutes};
use crate::routes::Target;

/// What becomes of an event.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Link {
    /// Lost.
    Off,
    /// Kept for the next route.
    Held,
    /// Delivered.
    On,
}

/// A message interrupt. Dropping it takes its event and its route away and frees the GSI.
pub struct MsiGsi {
    routes: Arc<IrqRoutes>,
    gsi: u32,
    devid: u32,
    event: EventFd,
    link: Mutex<Link>,
}

impl MsiGsi {
    pub(crate) fn new(routes: Arc<IrqRoutes>, gsi: u32, devid: u32, event: EventFd) -> MsiGsi {
        MsiGsi { routes, gsi, devid, event, link: Mutex::new(Link::Off) }
    }

    /// The GSI, for messages.
    pub fn gsi(&self) -> u32 {
        self.gsi
    }

    /// The event that raises the interrupt; may be given to VFIO. Written without a route, it does nothing.
    pub fn event(&self) -> &EventFd {
        &self.event
    }

    /// Sends later events as a write of `data` to `address`. In effect when it returns; on failure the old route stays.
    pub fn route(&self, address: u64, data: u32) -> Result<(), IrqError> {
        self.send_to(self.routes.message(address, data, self.devid))
    }

    /// Sends later events as the shared interrupt `spi` (counted from 0; INTID `32 + spi`): what a GICv2m frame does with a
    /// message. The guest configures the SPI as edge-triggered.
    pub fn route_spi(&self, spi: u32) -> Result<(), IrqError> {
        let wiring = self.routes.wiring();
        self.send_to(wiring.spi(spi).ok_or(IrqError::NoSuchLine { gsi: spi, wiring })?)
    }

    /// Routes several vectors with one change of the table, to `(address, data)` each.
    pub fn route_all(vectors: &[(&MsiGsi, (u64, u32))]) -> Result<(), IrqError> {
        let Some((first, _)) = vectors.first() else { return Ok(()) };
        let target = |msi: &MsiGsi, (address, data)| msi.routes.message(address, data, msi.devid);
        let changes: Vec<_> = vectors.iter().map(|(msi, to)| (msi.gsi, target(msi, *to))).collect();
        first.routes.apply(&changes)?;
        vectors.iter().try_for_each(|(msi, _)| msi.switch(&mut msi.link.lock(), Link::On))
    }

    /// Takes the route away: events are lost until the next [`MsiGsi::route`].
    pub fn unroute(&self) -> Result<(), IrqError> {
        self.switch(&mut self.link.lock(), Link::Off)
    }

    /// Takes the route away, but keeps events: one is delivered at the next [`MsiGsi::route`] if any came. What a masked
    /// MSI-X vector does.
    pub fn hold(&self) -> Result<(), IrqError> {
        self.switch(&mut self.link.lock(), Link::Held)
    }

    /// Whether an event was kept since [`MsiGsi::hold`]: the vector's pending bit.
    pub fn pending(&self) -> bool {
        *self.link.lock() == Link::Held && readable(&self.event)
    }

    fn send_to(&self, target: Target) -> Result<(), IrqError> {
        let mut link = self.link.lock();
        self.routes.apply(&[(self.gsi, target)])?;
        self.switch(&mut link, Link::On)
    }

    fn switch(&self, link: &mut Link, to: Link) -> Result<(), IrqError> {
        match (*link, to) {
            (Link::On, Link::Off | Link::Held) => self.routes.detach(self.gsi, &self.event)?,
            (Link::Off, Link::On | Link::Held) => self.drain()?,
            _ => {}
        }
        if *link != Link::On && to == Link::On {
            // KVM looks at once whether the event was written, so what was held is delivered.
            self.routes.attach(self.gsi, &self.event, None)?;
        }
        *link = to;
        Ok(())
    }

    /// Forgets events that came while nothing was to become of them.
    fn drain(&self) -> Result<(), IrqError> {
        match self.event.read() {
            Err(source) if source.kind() != io::ErrorKind::WouldBlock => {
                Err(IrqError::Event { gsi: self.gsi, source })
            }
            _ => Ok(()),
        }
    }
}

impl Drop for MsiGsi {
    fn drop(&mut self) {
        match self.unroute() {
            Ok(()) => self.routes.release(self.gsi),
            // The number stays out of use, so that its events cannot reach a later holder.
            Err(error) => log::error!("message interrupt {} stays reserved: {error}", self.gsi),
        }
    }
}

/// Whether `event` was written and not yet read.
fn readable(event: &EventFd) -> bool {
    let mut wanted = libc::pollfd { fd: event.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: the kernel reads and writes this one structure; the descriptor is open while `event` is borrowed.
    unsafe { libc::poll(&raw mut wanted, 1, 0) == 1 && wanted.revents & libc::POLLIN != 0 }
}
