//! The vocabulary of every other crate: spans of addresses, guest and host addresses, page masks, PCI addresses.
//!
//! Nothing here allocates or fails loudly; arithmetic on numbers that a guest chose happens in [`Span`] and nowhere else.
#![no_std]

mod address;
mod page_mask;
mod pci;
mod span;

pub use address::{Gpa, Iova};
pub use page_mask::PageMask;
pub use pci::{Bdf, HostBdf, ParseBdfError};
pub use span::Span;
