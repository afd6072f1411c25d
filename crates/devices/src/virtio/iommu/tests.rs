mod chains;
mod config;
mod faults;
mod requests;
mod rig;
