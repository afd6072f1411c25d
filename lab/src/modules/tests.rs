//! Dependency strings and load orders, on made-up modules.

use std::collections::BTreeMap;

use super::{Module, dependencies, module_name, visit};

type Kernel = BTreeMap<&'static str, &'static [u8]>;

fn order(kernel: &Kernel, wanted: &[&str]) -> anyhow::Result<Vec<String>> {
    let read = |name: &str| Ok(kernel.get(name).map(|bytes| bytes.to_vec()));
    let mut loaded: Vec<Module> = Vec::new();
    for name in wanted {
        visit(name, &read, &mut loaded, &mut Vec::new())?;
    }
    Ok(loaded.into_iter().map(|module| module.name).collect())
}

#[test]
fn dependencies_come_from_modinfo_strings() {
    let cases: [(&[u8], &[&str]); 5] = [
        (b"\x7fELF\0license=GPL\0depends=vfio,vfio-pci-core\0name=x\0", &["vfio", "vfio_pci_core"]),
        (b"x\0depends=\0y", &[]),
        (b"x\0softdep=pre: crc32c aes post: late\0", &["crc32c", "aes"]),
        (b"x\0softdep=post: late\0", &[]),
        (b"no strings at all \xff\xfe", &[]),
    ];
    for (bytes, expected) in cases {
        assert_eq!(dependencies(bytes), expected);
    }
}

#[test]
fn a_module_stands_after_all_it_needs_and_only_once() {
    let kernel = Kernel::from([
        ("vfio_pci", b"\0depends=vfio_pci_core,vfio\0".as_slice()),
        ("vfio_pci_core", b"\0depends=vfio,irqbypass\0"),
        ("vfio_iommu_type1", b"\0depends=vfio\0"),
        ("vfio", b"\0depends=\0"),
    ]);
    let order = order(&kernel, &["vfio_pci", "vfio_iommu_type1"]).unwrap();
    assert_eq!(order, ["vfio", "vfio_pci_core", "vfio_pci", "vfio_iommu_type1"]);
}

#[test]
fn built_in_modules_are_left_out() {
    assert!(order(&Kernel::new(), &["virtio_pci"]).unwrap().is_empty());
}

#[test]
fn a_circle_is_refused_and_named() {
    let kernel = Kernel::from([("a", b"\0depends=b\0".as_slice()), ("b", b"\0depends=a\0")]);
    let error = order(&kernel, &["a"]).unwrap_err().to_string();
    assert!(error.contains("a -> b -> a"), "{error}");
}

#[test]
fn only_module_files_count() {
    let cases = [
        ("kernel/drivers/virtio-iommu.ko.xz", Some("virtio_iommu")),
        ("nvme.ko", Some("nvme")),
        ("modules.builtin", None),
        ("nvme.ko.zst.txt", None),
    ];
    for (path, expected) in cases {
        assert_eq!(module_name(path.as_ref()).as_deref(), expected, "{path}");
    }
}
