//! Which occurrences of a thing that a guest can provoke at will are worth a line in the log.

/// Counts occurrences of one kind, and picks those to tell: the 1st, 2nd, 4th, 8th …
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rarely(u64);

impl Rarely {
    /// One more; its number when it is to be told.
    pub fn count(&mut self) -> Option<u64> {
        self.0 = self.0.saturating_add(1);
        self.0.is_power_of_two().then_some(self.0)
    }

    /// How many there have been.
    pub fn total(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests;
