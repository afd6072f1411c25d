//! The files a guest boots from, and those of its emulated devices, opened before anything else happens.

use std::fs::File;
use std::path::Path;

use arch::ViommuShape;

use super::own::{self, Own};
use crate::config::Config;
use crate::errors::Refusal;
use crate::plan::Plan;

/// Kernel, initial RAM disk, and what devices need.
pub struct BootFiles {
    /// The kernel.
    pub kernel: File,
    /// The initial RAM disk.
    pub initrd: Option<File>,
    /// What is each emulated device's own, in the configuration's order.
    pub(super) own: Vec<Own>,
}

impl BootFiles {
    /// Opens the files that the configuration names.
    ///
    /// # Errors
    /// One refusal for each file that cannot be read.
    pub fn open(config: &Config) -> Result<BootFiles, Vec<Refusal>> {
        let kernel = open("the kernel", &config.kernel);
        let initrd = config.initrd.as_deref().map(|path| open("the initial RAM disk", path)).transpose();
        let own = config.assignment.emulated.iter().map(|device| own::open(&device.kind));
        let (own, refused): (Vec<_>, Vec<_>) = own.partition(Result::is_ok);
        let own = own.into_iter().flatten().collect();
        match (kernel, initrd) {
            (Ok(kernel), Ok(initrd)) if refused.is_empty() => Ok(BootFiles { kernel, initrd, own }),
            (kernel, initrd) => {
                let refused = refused.into_iter().filter_map(Result::err);
                Err(kernel.err().into_iter().chain(initrd.err()).chain(refused).collect())
            }
        }
    }
}

impl BootFiles {
    /// The files as a loader takes them.
    pub(crate) fn borrow<'a>(&'a mut self, cmdline: &'a str) -> arch::BootFiles<'a> {
        arch::BootFiles { kernel: &mut self.kernel, initrd: self.initrd.as_mut(), cmdline }
    }
}

/// The virtual IOMMU and its endpoints as tables describe them.
pub(crate) fn viommu_shape(plan: &Plan) -> Option<ViommuShape> {
    let assigned = plan.devices.iter().filter(|device| device.behind_viommu).map(|device| device.guest);
    let emulated = plan.emulated.iter().filter(|device| device.behind_viommu).map(|device| device.at);
    let endpoints = assigned.chain(emulated);
    plan.viommu.as_ref().map(|viommu| ViommuShape { iommu: viommu.at, endpoints: endpoints.collect() })
}

fn open(what: &str, path: &Path) -> Result<File, Refusal> {
    let refused = |why: String| {
        let remedy = "Name a file that this user can read.";
        Refusal::new(format!("{what} {}", path.display()), "cannot be read", why, remedy)
    };
    let file = File::open(path).map_err(|error| refused(error.to_string()))?;
    let meta = file.metadata().map_err(|error| refused(error.to_string()))?;
    if !meta.is_file() {
        return Err(refused("it is not a regular file".to_owned()));
    }
    Ok(file)
}
