//! Whole devices in a machine of fakes.

mod decode;
mod fuzz;
mod life;
mod msi;
mod msix;
mod refused;
mod registers;
