//! A buffer that collects bytes up to a newline and never grows past its bound.

/// The line is longer than the bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

/// Collects one line at a time.
pub(crate) struct LineBuffer {
    bytes: Vec<u8>,
    /// Bytes at the front known to hold no newline, so that a long line is not searched again and again.
    searched: usize,
    most: usize,
}

impl LineBuffer {
    /// For lines of at most `most` bytes, the newline included.
    pub(crate) fn new(most: usize) -> LineBuffer {
        LineBuffer { bytes: Vec::new(), searched: 0, most }
    }

    /// Takes in what was read; the caller hands over small pieces, so the excess stays small too.
    pub(crate) fn push(&mut self, piece: &[u8]) {
        self.bytes.extend_from_slice(piece);
    }

    /// The first complete line without its newline, taken out; `None` while more must be read.
    pub(crate) fn take(&mut self) -> Result<Option<Vec<u8>>, TooLong> {
        let fresh = self.bytes.get(self.searched..).unwrap_or_default();
        let Some(end) = fresh.iter().position(|byte| *byte == b'\n').map(|at| self.searched + at) else {
            self.searched = self.bytes.len();
            return if self.searched < self.most { Ok(None) } else { Err(TooLong) };
        };
        if end >= self.most {
            return Err(TooLong);
        }
        let mut line: Vec<u8> = self.bytes.drain(..=end).collect();
        line.pop();
        self.searched = 0;
        Ok(Some(line))
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

#[cfg(test)]
mod tests;
