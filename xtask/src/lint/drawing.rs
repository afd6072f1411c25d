//! The drawing: a crate may use only the crates below it.
//!
//! Two absences are deliberate: `devices` does not use `hypervisor` (device tests need no KVM), and `iommu_domain` does not use
//! `virtio_iommu_spec` (the host side knows no virtio). Dependencies of tests and build scripts count like any other.

use super::tree::{Package, Tree};
use super::violation::Violation;

/// Each crate of ours and the crates of ours it may use, lowest layer first.
const DRAWING: &[(&str, &[&str])] = &[
    ("data_model", &[]),
    ("sync", &[]),
    ("base", &["data_model", "sync"]),
    ("virtio_iommu_spec", &["data_model"]),
    ("vfio", &["base", "data_model", "sync"]),
    ("iommu_domain", &["base", "data_model", "sync", "vfio"]),
    ("devices", &["base", "data_model", "iommu_domain", "sync", "vfio", "virtio_iommu_spec"]),
    ("arch", &["base", "data_model", "sync"]),
    ("vm_control", &["base", "data_model", "sync"]),
    ("hypervisor", &["base", "data_model", "sync"]),
    ("jail", &["base", "data_model", "sync"]),
    ("mixvm", LIBRARIES),
    ("lab", LIBRARIES),
    ("fuzz", LIBRARIES),
    ("suites", LIBRARIES),
    ("rig", &["base", "data_model", "devices", "iommu_domain", "suites", "vfio", "virtio_iommu_spec"]),
    ("xtask", &[]),
];

const LIBRARIES: &[&str] = &[
    "arch",
    "base",
    "data_model",
    "devices",
    "hypervisor",
    "iommu_domain",
    "jail",
    "sync",
    "vfio",
    "virtio_iommu_spec",
    "vm_control",
];

const LAW: &str = "drawing";

/// Checks every dependency between packages of the workspace.
pub fn check(tree: &Tree) -> Vec<Violation> {
    let ours: Vec<&str> = tree.packages.iter().map(|package| package.name.as_str()).collect();
    tree.packages.iter().flat_map(|package| check_package(tree, package, &ours)).collect()
}

fn check_package(tree: &Tree, package: &Package, ours: &[&str]) -> Vec<Violation> {
    let path = manifest(package);
    let Some((_, allowed)) = DRAWING.iter().find(|(name, _)| *name == package.name) else {
        let what = format!("crate `{}` is not in the drawing", package.name);
        let remedy = "give it a layer in xtask/src/lint/drawing.rs and in docs/src/architecture.md";
        return vec![Violation { path, line: 1, law: LAW, what, remedy }];
    };
    let mut found = Vec::new();
    for dependency in &package.dependencies {
        let name = dependency.name.as_str();
        if !ours.contains(&name) || allowed.contains(&name) {
            continue;
        }
        let kind = dependency.kind.as_deref().map(|kind| format!("{kind}-")).unwrap_or_default();
        found.push(Violation {
            line: line_of(tree, &path, name),
            path: path.clone(),
            law: LAW,
            what: format!("`{}` has a {kind}dependency on `{name}`, which is not below it", package.name),
            remedy: "take a small trait or a plain value as argument instead, or move the code to the layer that may know both",
        });
    }
    found
}

/// The manifest's path from the root.
fn manifest(package: &Package) -> String {
    let folder = match package.name.as_str() {
        "mixvm" => String::new(),
        "suites" => "tests/".into(),
        name @ ("lab" | "rig" | "xtask" | "fuzz") => format!("{name}/"),
        name => format!("crates/{name}/"),
    };
    format!("{folder}Cargo.toml")
}

/// The line that declares the dependency; 1 when the manifest is not at hand.
fn line_of(tree: &Tree, path: &str, dependency: &str) -> usize {
    let declares = |line: &str| {
        line.strip_prefix(dependency).is_some_and(|rest| rest.trim_start().starts_with(['.', '=']))
    };
    let text = tree.texts.get(path).map(String::as_str).unwrap_or_default();
    text.lines().position(declares).map_or(1, |line| line + 1)
}

#[cfg(test)]
mod tests;
