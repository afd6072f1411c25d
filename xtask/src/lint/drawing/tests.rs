//! The drawing against sample workspaces.

use super::{DRAWING, check};
use crate::lint::tree::{Dependency, Package, Tree};

fn package(name: &str, dependencies: &[&str]) -> Package {
    let dependency = |name: &&str| match name.strip_prefix("dev:") {
        Some(name) => Dependency { name: name.into(), kind: Some("dev".into()) },
        None => Dependency { name: name.to_string(), kind: None },
    };
    Package { name: name.into(), dependencies: dependencies.iter().map(dependency).collect() }
}

/// A workspace of every crate drawn, where `name` has these dependencies and the others none.
fn workspace(name: &str, dependencies: &[&str]) -> Tree {
    let packages = DRAWING
        .iter()
        .map(|(other, _)| package(other, if *other == name { dependencies } else { &[] }))
        .collect();
    Tree { packages, ..Tree::default() }
}

#[test]
fn each_crate_may_use_what_is_below_it_and_the_world_outside() {
    for (name, allowed) in DRAWING {
        let mut dependencies = allowed.to_vec();
        dependencies.push("libc");
        assert_eq!(check(&workspace(name, &dependencies)), [], "{name}");
    }
}

#[test]
fn a_dependency_sideways_or_upwards_is_refused() {
    for (name, dependency) in [
        ("devices", "hypervisor"),
        ("iommu_domain", "virtio_iommu_spec"),
        ("base", "vfio"),
        ("data_model", "sync"),
        ("vfio", "iommu_domain"),
        ("hypervisor", "devices"),
        ("arch", "hypervisor"),
        ("devices", "mixvm"),
        ("devices", "dev:hypervisor"),
        ("lab", "xtask"),
    ] {
        let found = check(&workspace(name, &[dependency]));
        assert_eq!(found.len(), 1, "{name} -> {dependency}");
    }
}

#[test]
fn the_drawing_has_no_cycle() {
    for (at, (name, allowed)) in DRAWING.iter().enumerate() {
        for below in *allowed {
            let place = DRAWING.iter().position(|(other, _)| other == below).unwrap();
            let top = matches!(*name, "mixvm" | "lab" | "fuzz");
            assert!(place < at || top, "{name} uses {below}, which is drawn above it");
        }
    }
}

#[test]
fn the_line_of_the_dependency_is_named_and_a_new_crate_must_be_drawn() {
    let manifest =
        "[package]\nname = \"devices\"\n[dependencies]\nhypervisor_x = \"1\"\nhypervisor.workspace = true\n";
    let mut tree = Tree::from_files([("crates/devices/Cargo.toml", manifest)]);
    tree.packages = workspace("devices", &["hypervisor"]).packages;
    assert_eq!(check(&tree)[0].line, 5);
    tree.packages = vec![package("gadgets", &[])];
    assert_eq!(check(&tree)[0].path, "crates/gadgets/Cargo.toml");
}
