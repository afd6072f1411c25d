//! Where the lab keeps things: downloads outside the tree, logs and results inside `target/lab`.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::arch::Arch;

/// The folders of one invocation.
pub struct Paths {
    /// Root of the source tree.
    pub tree: PathBuf,
    /// Cargo's target folder.
    pub target: PathBuf,
    /// Downloads and unpacked kernels of this architecture; survives `cargo clean`.
    pub cache: PathBuf,
    /// Root file systems of this architecture, made from the cache in a second or two.
    pub images: PathBuf,
    /// Logs and results of this command on this architecture; emptied on start.
    pub run: PathBuf,
    /// Held as long as the run's folder is in use.
    _in_use: File,
}

impl Paths {
    /// Finds and creates the folders for `command` (such as `demo`) on `arch`.
    pub fn create(arch: Arch, command: &str) -> Result<Self> {
        let tree = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("/")).to_path_buf();
        let target = match env::var_os("CARGO_TARGET_DIR") {
            Some(folder) => tree.join(folder),
            None => tree.join("target"),
        };
        let cache = cache_root()?.join(arch.name());
        let images = target.join("lab").join(arch.name());
        let run = images.join(command);
        let in_use = lock(&images.join(format!("{command}.lock")))?;
        match fs::remove_dir_all(&run) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("emptying {}", run.display()));
            }
            _ => {}
        }
        for folder in [&cache, &images, &run] {
            fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
        }
        Ok(Self { tree, target, cache, images, run, _in_use: in_use })
    }

    /// Keeps other runs off the cache and the images for as long as the result lives.
    pub fn hold_cache(&self) -> Result<File> {
        lock(&self.cache.join("lock"))
    }

    /// The log file of one phase.
    pub fn log(&self, phase: &str) -> PathBuf {
        self.run.join(format!("{}.log", phase.replace(' ', "-")))
    }
}

fn cache_root() -> Result<PathBuf> {
    if let Some(folder) = env::var_os("MIXVM_LAB_CACHE") {
        return Ok(PathBuf::from(folder));
    }
    if let Some(folder) = env::var_os("XDG_CACHE_HOME") {
        return Ok(PathBuf::from(folder).join("mixvm-lab"));
    }
    let home = env::var_os("HOME").context("neither MIXVM_LAB_CACHE nor HOME says where downloads may go")?;
    Ok(PathBuf::from(home).join(".cache/mixvm-lab"))
}

/// Locks a file, made when missing; waits for whoever has it.
fn lock(path: &Path) -> Result<File> {
    let doing = || format!("locking {}", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(doing)?;
    }
    let file = File::create(path).with_context(doing)?;
    if file.try_lock().is_err() {
        eprintln!("another run holds {}: waiting for it", path.display());
        file.lock().with_context(doing)?;
    }
    Ok(file)
}

/// Has `make` fill a folder, unless it is there; under its final name it is whole.
pub fn fill_whole(folder: &Path, make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let partial = folder.with_extension("partial");
    // What an earlier run has left half done.
    let _ = fs::remove_dir_all(&partial);
    fs::create_dir_all(&partial).with_context(|| format!("creating {}", partial.display()))?;
    make(&partial)?;
    fs::rename(&partial, folder).with_context(|| format!("naming {}", folder.display()))
}

/// Writes a file in one step: a reader, or a later run, never sees half of it.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let partial = path.with_extension("partial");
    fs::write(&partial, bytes).with_context(|| format!("writing {}", partial.display()))?;
    fs::rename(&partial, path).with_context(|| format!("naming {}", path.display()))
}
