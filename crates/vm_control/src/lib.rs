//! Requests to a running machine and their replies: data, a client, and a server that no client can block.
//!
//! Wire form: one JSON value per line, each way, over a Unix stream socket. Both directions are bounded
//! ([`MAX_REQUEST`], [`MAX_REPLY`]), so neither side can make the other grow.

mod client;
mod connection;
mod error;
mod line;
mod listener;
mod message;
mod report;
mod server;
mod text;

pub use client::Client;
pub use connection::{Connection, Received};
pub use error::ControlError;
pub use listener::Listener;
pub use message::{MAX_REPLY, MAX_REQUEST, MAX_RUNS, MAX_SLOTS, Reply, Request};
pub use report::{
    DomainReport, EndpointReport, LegReport, RegionKind, RegionReport, RequestReport, RunKind, RunReport,
    SlotReport, ViommuReport,
};
pub use server::serve;
