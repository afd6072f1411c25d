mod bench;
mod domains;
mod faults;
mod groups;
mod locked;
mod mapping;
mod memory;
mod report;
mod sequences;

use bench::*;
use data_model::Span;

use super::IommuConfig;
use crate::Refusal;
