//! Another kernel in place of this guest's own, as an update without the firmware would have it.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result};

/// Loads a kernel and its root file system, and starts it unless it is the one for a panic.
pub fn run(kernel: &Path, initrd: &Path, command_line: &str, when_it_panics: bool) -> Result<()> {
    let open = |path: &Path| File::open(path).with_context(|| format!("opening {}", path.display()));
    base::load_kernel(open(kernel)?, open(initrd)?, command_line, when_it_panics)
        .context("loading the kernel")?;
    if when_it_panics {
        return Ok(());
    }
    base::kexec().context("starting the kernel that was loaded")
}
