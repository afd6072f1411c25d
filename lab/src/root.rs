//! The disk image that a guest can have its root file system on: ext4, with the guest's own scripts and the pattern in it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::exec;

/// Where the lab host finds it.
pub const PATH: &str = "/lab/root.img";

/// Room for the pattern, the modules, and what a guest writes.
const MIB: u32 = 96;

/// A file of the image: its path there, its content, and whether it can be executed.
pub type Entry = (String, Vec<u8>, bool);

/// Makes the image at `image` out of `entries` and a copy of the file `pattern`.
pub fn make(image: &Path, entries: &[Entry], pattern: &Path, log: &Path) -> Result<()> {
    let tree = image.with_extension("tree");
    let _ = fs::remove_dir_all(&tree);
    for folder in ["bin", "dev", "lib", "modules", "proc", "run", "sys", "tmp"] {
        fs::create_dir_all(tree.join(folder)).with_context(|| format!("creating {}", tree.display()))?;
    }
    for (name, bytes, executable) in entries {
        let path = tree.join(name);
        fs::write(&path, bytes).with_context(|| format!("writing {}", path.display()))?;
        if *executable {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).context("making it executable")?;
        }
    }
    symlink("busybox", tree.join("bin/sh")).context("linking the shell")?;
    fs::copy(pattern, tree.join("pattern")).with_context(|| format!("copying {}", pattern.display()))?;
    let mut command = Command::new(tool());
    command.args(["-q", "-F", "-t", "ext4", "-m", "0", "-d"]).arg(&tree).arg(image).arg(format!("{MIB}M"));
    exec::run(&mut command, log).context("making a file system")?;
    fs::remove_dir_all(&tree).context("removing the tree")
}

/// Where a user's path may not lead.
fn tool() -> PathBuf {
    let usual = PathBuf::from("/sbin/mke2fs");
    if usual.is_file() { usual } else { "mke2fs".into() }
}
