//! Suites that run for longer than a unit test. Each is a function with a size: small in `cargo test`, large in
//! `cargo xtask ci`, larger in `cargo xtask nightly`.
//!
//! A suite prints what it did in one line that begins with its name; what it finds wrong is a [`Failure`].
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "what cannot be set up fails the suite"
)]

pub mod chains;
pub mod faults;
pub mod growth;
pub mod model;
pub mod path;
mod random;
pub mod world;

pub use random::Random;

/// What a suite found wrong, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(pub String);

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
