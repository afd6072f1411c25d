//! `rig hostile`: a driver that keeps none of the rules, in a guest, from user space. Every chain must come back as the
//! driver's own books say, or the device must say that it needs a reset and work again after it.

mod abuse;
mod cases;
pub mod driver;
pub mod memory;
mod oracle;
mod random;
pub mod transport;

use anyhow::{Context, Result};

use driver::Driver;

/// How often each shape of a malformed chain is tried, and a batch interrupted.
const ROUNDS: u64 = 5;
/// Mappings that stay when all is done.
const LEFT: u64 = 8;

/// Runs all of it.
pub fn run(requests: u64, seed: u64) -> Result<String> {
    all(&mut Driver::open()?, requests, seed)
}

fn all(driver: &mut Driver, requests: u64, seed: u64) -> Result<String> {
    let oracle = &driver.oracle;
    let ids: Vec<String> = oracle.endpoints.iter().map(|endpoint| format!("{:#x}", endpoint.id)).collect();
    let (first, last) = oracle.input;
    println!(
        "endpoints {}, input {first:#x}-{last:#x}, granule {:#x}, memory at {:#x}",
        ids.join(" "),
        oracle.granule,
        driver.base
    );
    let cases = cases::run(driver).context("requests that no driver should make")?;
    println!("{cases} requests and chains that no driver should make, each answered as it must be");
    let places = abuse::places(driver).context("rings that lie nowhere")?;
    println!("{places} rings that lie nowhere, each answered by NEEDS_RESET");
    let chains = abuse::chains(driver, seed, ROUNDS).context("malformed chains")?;
    println!(
        "{} malformed chains: {} unwritten, {} answered, {} ended in NEEDS_RESET",
        chains.cases, chains.unwritten, chains.answered, chains.needs_reset
    );
    let served = abuse::resets(driver, seed, ROUNDS).context("resets in the middle of a batch")?;
    println!("{ROUNDS} resets in the middle of a batch, {served} requests were served before them");
    println!("{}", random::run(driver, seed, requests).context("random requests")?);
    Ok(format!("left {} mappings", abuse::leave(driver, LEFT)?))
}

#[cfg(test)]
mod tests;
