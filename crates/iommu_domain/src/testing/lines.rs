//! Counts lines of the log, so that a test can see that nobody makes it grow without bound.

use std::cell::Cell;

use log::{LevelFilter, Log, Metadata, Record};

thread_local! {
    static LINES: Cell<usize> = const { Cell::new(0) };
}

struct Counter;

impl Log for Counter {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, _: &Record<'_>) {
        LINES.set(LINES.get() + 1);
    }

    fn flush(&self) {}
}

/// Warnings and errors that this thread logs in `work`. The process must have no other logger.
pub fn logged_lines(work: impl FnOnce()) -> usize {
    if log::set_logger(&Counter).is_ok() {
        log::set_max_level(LevelFilter::Warn);
    }
    let before = LINES.get();
    work();
    LINES.get() - before
}
