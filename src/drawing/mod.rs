//! Draws the address spaces of a virtual IOMMU: to scale with breaks, as SVG or as text.
//!
//! report → bands (every address of the input range once) → heights → picture. All of it is pure.

mod bands;
mod scale;
mod svg;
mod text;

pub use svg::svg;
pub use text::text;

use vm_control::{DomainReport, LegReport, ViommuReport};

/// The line under a domain's name: who is in it, and how much is mapped.
fn about(report: &ViommuReport, domain: &DomainReport) -> String {
    let members: Vec<String> = report
        .endpoints
        .iter()
        .filter(|endpoint| endpoint.domain == Some(domain.id))
        .map(|endpoint| {
            // An emulated device has no group.
            let place = if endpoint.group.is_some() { " on the host" } else { "" };
            let moves = |leg: &LegReport| leg.between && leg.endpoints.contains(&endpoint.id);
            let reach = if report.legs.iter().any(moves) { ", reaches nothing: its group moves" } else { "" };
            format!("{} ({}{place}{reach})", endpoint.bdf, endpoint.host)
        })
        .collect();
    let mapped = match domain.bypass {
        true => "addresses pass through".to_owned(),
        false => {
            format!("{}, {}", count(domain.mappings, "mapping"), size(u128::from(domain.bytes)))
        }
    };
    format!("{}: {mapped}", members.join(", "))
}

/// The line of an endpoint in no domain.
fn unattached(report: &ViommuReport) -> Vec<String> {
    let reach = if report.bypass { "reaches all guest RAM" } else { "reaches nothing" };
    let apart = report.endpoints.iter().filter(|endpoint| endpoint.domain.is_none());
    apart.map(|endpoint| format!("{} is in no domain and {reach}", endpoint.bdf)).collect()
}

/// `1 slot`, `2 slots`.
fn count(n: u64, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// A number of bytes in three digits or more, in the largest unit of which there is at least one.
fn size(bytes: u128) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let unit = (1..UNITS.len()).rev().find(|unit| bytes >> (10 * (unit + 1)) != 0).unwrap_or(0);
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    let number = bytes as f64 / 2f64.powi(10 * (unit as i32 + 1));
    let digits = match number {
        _ if number.fract() == 0.0 => 0,
        _ if number < 10.0 => 2,
        _ if number < 100.0 => 1,
        _ => 0,
    };
    // 1023.9 must not become "1024" of a unit that has a bigger neighbour: it is cut off, not rounded.
    let cut = 10f64.powi(digits);
    format!("{:.*} {}", digits as usize, (number * cut).floor() / cut, UNITS[unit])
}

#[cfg(test)]
pub mod tests;
