//! A guest's runs in multiples of the floor's runs beside them.
//!
//! Invariant: run k of the one is compared with run k of the other, which was made a moment later on the same machine; never
//! with what the machine did in another minute.

use serde::Serialize;

use super::readings::sorted;

/// What a work came to in a guest.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cell {
    /// The middle run, in the row's unit.
    pub value: f64,
    /// The same in multiples of the floor, where there was one beside it.
    pub times: Option<Times>,
}

impl From<f64> for Cell {
    /// Of a work that has no floor.
    fn from(value: f64) -> Cell {
        Cell { value, times: None }
    }
}

/// Multiples of the floor.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Times {
    /// The middle run's.
    pub median: f64,
    /// Half of the runs lie between this...
    pub low: f64,
    /// ...and this.
    pub high: f64,
    /// Run by run, in the order in which they were made.
    pub runs: Vec<f64>,
}

impl Times {
    /// Run by run; `None` when no run has one beside it.
    pub fn of(guest: &[f64], floor: &[f64]) -> Option<Times> {
        let both = guest.iter().zip(floor).filter(|(_, floor)| **floor > 0.0);
        let runs: Vec<f64> = both.map(|(guest, floor)| guest / floor).collect();
        let values = sorted(runs.iter().copied());
        let last = values.len().checked_sub(1)?;
        Some(Times {
            median: *values.get(last / 2)?,
            low: *values.get(last / 4)?,
            high: *values.get(last - last / 4)?,
            runs,
        })
    }
}

#[cfg(test)]
mod tests;
