//! Which kernel modules must be loaded, and in which order.
//!
//! A Debian kernel package carries no `modules.dep` (that is made on installation), so the dependencies are
//! read from each module's own `.modinfo` strings. Invariant: in a load order every module stands after all that
//! it depends on, and none stands twice.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The modules of one kernel, by normalised name.
pub struct Modules {
    files: BTreeMap<String, PathBuf>,
}

/// A module ready to be packed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// Name as the kernel shows it under `/sys/module`.
    pub name: String,
    /// The uncompressed object.
    pub bytes: Vec<u8>,
}

/// `virtio-iommu` and `virtio_iommu` are one module.
pub fn normalise(name: &str) -> String {
    name.replace('-', "_")
}

impl Modules {
    /// Indexes every module below `root` (a `lib/modules/VERSION` folder).
    pub fn index(root: &Path) -> Result<Self> {
        let mut files = BTreeMap::new();
        let mut pending = vec![root.to_path_buf()];
        while let Some(folder) = pending.pop() {
            let listing = fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
            for entry in listing {
                let path = entry?.path();
                if path.is_dir() {
                    pending.push(path);
                } else if let Some(name) = module_name(&path) {
                    files.insert(name, path);
                }
            }
        }
        Ok(Self { files })
    }

    /// The load order for `wanted`, dependencies first. A module that is not among the files is built in (or
    /// absent from this kernel) and is left out, as the kernel's own tools do.
    pub fn closure(&self, wanted: &[&str]) -> Result<Vec<Module>> {
        let read = |name: &str| match self.files.get(name) {
            Some(path) => Ok(Some(read_module(path)?)),
            None => Ok(None),
        };
        let mut loaded = Vec::new();
        for name in wanted {
            visit(&normalise(name), &read, &mut loaded, &mut Vec::new())?;
        }
        Ok(loaded)
    }
}

fn visit(
    name: &str,
    read: &impl Fn(&str) -> Result<Option<Vec<u8>>>,
    loaded: &mut Vec<Module>,
    open: &mut Vec<String>,
) -> Result<()> {
    if loaded.iter().any(|module| module.name == name) {
        return Ok(());
    }
    if open.iter().any(|outer| outer == name) {
        bail!("kernel modules depend on each other in a circle: {} -> {name}", open.join(" -> "));
    }
    let Some(bytes) = read(name)? else { return Ok(()) };
    open.push(name.to_owned());
    for dependency in dependencies(&bytes) {
        visit(&dependency, read, loaded, open)?;
    }
    open.pop();
    loaded.push(Module { name: name.to_owned(), bytes });
    Ok(())
}

/// The names in a module's `depends=` and `softdep=pre:` strings.
fn dependencies(module: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    for text in module.split(|&byte| byte == 0).filter_map(|piece| std::str::from_utf8(piece).ok()) {
        if let Some(list) = text.strip_prefix("depends=") {
            names.extend(list.split(',').filter(|name| !name.is_empty()).map(normalise));
        } else if let Some(list) = text.strip_prefix("softdep=") {
            let words = list.split_whitespace().skip_while(|word| *word != "pre:").skip(1);
            names.extend(words.take_while(|word| !word.ends_with(':')).map(normalise));
        }
    }
    names
}

fn module_name(path: &Path) -> Option<String> {
    let file = path.file_name()?.to_str()?;
    let stem = file.strip_suffix(".ko").or_else(|| file.strip_suffix(".ko.xz"))?;
    Some(normalise(stem))
}

fn read_module(path: &Path) -> Result<Vec<u8>> {
    if path.extension().is_some_and(|extension| extension == "ko") {
        return fs::read(path).with_context(|| format!("reading {}", path.display()));
    }
    let output = Command::new("xz").arg("-dc").arg(path).output().context("starting xz")?;
    if !output.status.success() {
        bail!("unpacking {}: {}", path.display(), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(output.stdout)
}

#[cfg(test)]
mod tests;
