//! Making a failing trace shorter.

/// A shortest sub-sequence of `trace` that still fails, as far as leaving out runs of operations leads.
pub fn shortest<T: Clone>(trace: &[T], fails: impl Fn(&[T]) -> bool) -> Vec<T> {
    let mut best = trace.to_vec();
    let mut len = best.len().div_ceil(2);
    while len > 0 {
        let before = best.len();
        let mut at = 0;
        while at < best.len() {
            let end = best.len().min(at + len);
            let candidate = [&best[..at], &best[end..]].concat();
            if fails(&candidate) {
                best = candidate;
            } else {
                at += len;
            }
        }
        // Once more with single operations until none can go.
        len = if len > 1 { len / 2 } else { usize::from(best.len() < before) };
    }
    best
}
