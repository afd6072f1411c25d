mod chains;
mod config;
mod faults;
mod messages;
mod requests;
mod rig;
mod rows;
