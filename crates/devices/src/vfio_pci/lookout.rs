//! What the host has to say about assigned devices while a guest uses them.
//!
//! The kernel tells it through events, again and again while nothing happens. Main listens and not the device's own process,
//! which may itself be held up in a device that has gone wrong.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use base::{EventFd, Poller};
use vfio::{AssignedDevice, IrqAction, PciIrq};

/// Token of the event that ends the thread; bells have their place in the list.
const STOP: u64 = u64::MAX;

/// What the host says of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// It is to be given back: its driver is unbound, it is removed, or its physical function has no virtual ones any more.
    /// Who asked is held up until every descriptor of the device is closed.
    Wanted,
    /// It had an error that cannot be corrected. What it did since, and whether it still works, nobody knows.
    Failed,
}

/// What of a device's interrupts says so.
const KINDS: [(PciIrq, Notice); 2] = [(PciIrq::Request, Notice::Wanted), (PciIrq::Error, Notice::Failed)];

/// An event that the kernel writes.
struct Bell {
    device: Arc<dyn AssignedDevice>,
    notice: Notice,
    event: EventFd,
}

/// The thread that listens; dropped, it ends.
pub struct Lookout {
    stop: EventFd,
    thread: Option<JoinHandle<()>>,
}

impl Lookout {
    /// Listens for `devices`. `tell` hears the device's name and what was said of it, once each.
    ///
    /// # Errors
    /// The host has no descriptor or no thread left. A device of which the kernel can say nothing is none.
    pub fn start(
        devices: &[Arc<dyn AssignedDevice>],
        tell: impl Fn(&str, Notice) + Send + 'static,
    ) -> io::Result<Lookout> {
        let (poller, stop) = (Poller::new()?, base::new_event()?);
        poller.add(&stop, STOP)?;
        let mut bells: Vec<Bell> = Vec::new();
        for device in devices {
            for (irq, notice) in KINDS {
                if device.irq(irq).count == 0 || !device.irq(irq).eventfd {
                    continue;
                }
                let event = base::new_event()?;
                let trigger = IrqAction::Trigger { start: 0, events: &[Some(&event)] };
                if let Err(error) = device.set_irqs(irq, trigger) {
                    log::warn!("{}: the host cannot tell when it is {notice:?}: {error}", device.name());
                    continue;
                }
                poller.add(&event, bells.len() as u64)?;
                bells.push(Bell { device: device.clone(), notice, event });
            }
        }
        let run = move || listen(poller, &bells, &tell);
        let thread = std::thread::Builder::new().name("lookout".into()).spawn(run)?;
        Ok(Lookout { stop, thread: Some(thread) })
    }
}

fn listen(mut poller: Poller, bells: &[Bell], tell: &dyn Fn(&str, Notice)) {
    loop {
        let heard = match poller.wait(None) {
            Ok(ready) if ready.iter().any(|ready| ready.token == STOP) => return,
            Ok(ready) => ready,
            Err(error) => return log::error!("the host is not listened to any more: {error}"),
        };
        for bell in heard.iter().filter_map(|ready| bells.get(usize::try_from(ready.token).ok()?)) {
            tell(bell.device.name(), bell.notice);
            if let Err(error) = poller.remove(&bell.event) {
                return log::error!("the host is not listened to any more: {error}");
            }
        }
    }
}

impl Drop for Lookout {
    fn drop(&mut self) {
        // An event that nobody has written before takes this.
        drop(self.stop.write(1));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

#[cfg(test)]
mod tests;
