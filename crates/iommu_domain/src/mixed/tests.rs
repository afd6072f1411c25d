//! Invariants as properties, the letter's faults as cases, the personalities as a table.

mod attach;
mod context;
mod copy;
mod differential;
mod errors;
mod invariants;
mod kit;
mod letter_faults;
mod memory;
mod moving;
mod ops;
mod oracle;
mod personalities;
mod placement;
mod published;
mod safety;
mod slots;
mod threads;
mod window;
