//! Devices in processes of their own: a PCI function on one side of a tube, its registers on the other.
//!
//! Two tubes join main and a device process. On the *function* tube main asks: accesses to the function's registers. On
//! the *service* tube the device asks: interrupts, doorbells, direct mappings. Main answers services on a thread of its
//! own that takes no PCI lock, so a device may ask while main waits for it.
//!
//! Main trusts no answer: registers are only bytes, a window must be where the guest put the BAR, of the size that it always
//! had, and is checked by the root complex as any function's are; and a device that breaks the protocol, stalls or dies reads as all ones from then on.

mod bars;
mod function;
mod message;
mod server;
mod service_host;
mod services;

pub use bars::Places;
pub use function::{RemoteFunction, ask_special};
pub use message::{FunctionAnswer, FunctionQuestion, ServiceAnswer, ServiceQuestion};
pub use server::{Answering, serve_function};
pub use service_host::{BlockGroup, LocalServices, serve_services};
pub use services::Services;

#[cfg(test)]
mod tests;
