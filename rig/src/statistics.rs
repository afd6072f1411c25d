//! Medians and percentiles of small samples.

use std::time::Duration;

use serde::Serialize;

/// The middle and the far end of one run, in ns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Percentiles {
    /// Half of the samples took no longer.
    pub p50: u64,
    /// All but one in a hundred took no longer.
    pub p99: u64,
}

impl Percentiles {
    /// Of these samples; zeros when there is none.
    pub fn of(mut samples: Vec<Duration>) -> Percentiles {
        samples.sort_unstable();
        let at = |hundredth: usize| {
            let place = (samples.len() * hundredth).div_ceil(100).saturating_sub(1);
            samples.get(place).map_or(0, |sample| sample.as_nanos() as u64)
        };
        Percentiles { p50: at(50), p99: at(99) }
    }
}

/// The middle value, the lower of two; `None` of nothing.
pub fn median<T: PartialOrd + Copy>(mut values: Vec<T>) -> Option<T> {
    values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    values.get(values.len().checked_sub(1)? / 2).copied()
}

#[cfg(test)]
mod tests;
