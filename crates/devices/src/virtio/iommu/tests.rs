mod chains;
mod config;
mod faults;
mod messages;
mod polling;
mod requests;
mod rig;
mod rows;
