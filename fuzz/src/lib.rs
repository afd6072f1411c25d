//! Fuzz targets as functions of bytes. Each panics when the product does something that it must not.
//!
//! Structure comes from `arbitrary`: bytes are read as small choices, so that most inputs get past the first check.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a panic is how a target reports")]

mod block;
mod chain;
mod control;
mod decode;
mod registers;
mod sequence;
mod vfio_config;

pub use block::block;
pub use chain::chain;
pub use control::control;
pub use decode::decode;
pub use registers::registers;
pub use sequence::sequence;
pub use vfio_config::vfio_config;

/// A target by name.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 7] = [
    ("decode", decode),
    ("sequence", sequence),
    ("chain", chain),
    ("registers", registers),
    ("vfio_config", vfio_config),
    ("control", control),
    ("block", block),
];
