//! The host as sysfs shows it, below a root of one's choice.

use std::fs;
use std::path::{Path, PathBuf};

use base::{locks_at_will, memlock_ceiling};
use data_model::HostBdf;
use hypervisor::Kvm;

use super::{
    Access, DeviceFacts, GroupFacts, GuestGics, HostFacts, KvmFacts, Lookup, MachineFacts, Trial, bars,
    guest_gics, irqchip, reserved, trial,
};
use crate::config::Arch;

/// A host seen through its files.
pub struct SysfsHost {
    sys: PathBuf,
    dev: PathBuf,
    arch: Arch,
}

impl Default for SysfsHost {
    fn default() -> SysfsHost {
        SysfsHost::at("/sys".into(), "/dev".into(), Arch::host())
    }
}

impl SysfsHost {
    /// The host whose `/sys` and `/dev` are at these folders.
    pub fn at(sys: PathBuf, dev: PathBuf, arch: Arch) -> SysfsHost {
        SysfsHost { sys, dev, arch }
    }

    fn pci(&self, bdf: HostBdf) -> PathBuf {
        self.sys.join("bus/pci/devices").join(bdf.to_string())
    }

    /// Paths below `/sys` are looked up below our own root.
    fn place(&self, path: &str) -> PathBuf {
        match Path::new(path).strip_prefix("/sys") {
            Ok(rest) => self.sys.join(rest),
            Err(_) => PathBuf::from(path),
        }
    }

    fn facts(&self, bdf: HostBdf, folder: &Path) -> DeviceFacts {
        let number = |name: &str| text(&folder.join(name)).and_then(|text| reserved::hex(&text)).unwrap_or(0);
        DeviceFacts {
            bdf,
            class: number("class") as u32 & 0xff_ffff,
            ids: (number("vendor") as u16, number("device") as u16),
            driver: link(&folder.join("driver")),
            group: link(&folder.join("iommu_group")).and_then(|name| name.parse().ok()),
            bars: text(&folder.join("resource")).map_or_else(Vec::new, |text| bars::parse(&text)),
        }
    }

    fn chip_names(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.sys.join("kernel/irq")) else { return Vec::new() };
        entries
            .flatten()
            .filter_map(|entry| text(&entry.path().join("chip_name")))
            .filter(|name| !name.is_empty())
            .collect()
    }
}

impl HostFacts for SysfsHost {
    fn machine(&self) -> MachineFacts {
        let chips = self.chip_names();
        let kvm = Kvm::open(Some(&self.dev.join("kvm")));
        let guest_gics = kvm.as_ref().ok().and_then(guest_gics::offered);
        let parameter = text(&self.sys.join("module/vfio_iommu_type1/parameters/allow_unsafe_interrupts"));
        MachineFacts {
            arch: self.arch,
            page_size: rustix::param::page_size() as u64,
            memlock: memlock_ceiling(),
            locks_at_will: locks_at_will(),
            container_node: access(&self.dev.join("vfio/vfio")),
            kvm: KvmFacts::of(&kvm),
            unsafe_allowed: parameter.map(|value| value == "Y" || value == "1"),
            chips: irqchip::isolation(self.arch, &chips),
            gic: guest_gics.and_then(GuestGics::best).or_else(|| irqchip::gic(&chips)),
            guest_gics,
        }
    }

    fn device(&self, path: &str) -> Lookup {
        if let Ok(bdf) = path.parse::<HostBdf>() {
            let folder = self.pci(bdf);
            return if folder.exists() { Lookup::Found(self.facts(bdf, &folder)) } else { Lookup::Absent };
        }
        let Ok(folder) = fs::canonicalize(self.place(path)) else { return Lookup::Absent };
        let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        match (name.parse(), link(&folder.join("subsystem")).as_deref()) {
            (Ok(bdf), Some("pci")) => Lookup::Found(self.facts(bdf, &folder)),
            _ => Lookup::NotPci(folder.display().to_string()),
        }
    }

    fn group(&self, number: u32) -> GroupFacts {
        let folder = self.sys.join("kernel/iommu_groups").join(number.to_string());
        let names = fs::read_dir(folder.join("devices")).into_iter().flatten().flatten();
        let mut members: Vec<DeviceFacts> = names
            .filter_map(|entry| entry.file_name().to_str()?.parse::<HostBdf>().ok())
            .map(|bdf| self.facts(bdf, &self.pci(bdf)))
            .collect();
        members.sort_by_key(|member| member.bdf);
        GroupFacts {
            number,
            members,
            reserved: text(&folder.join("reserved_regions"))
                .map_or_else(Vec::new, |text| reserved::parse(&text)),
            node: access(&self.dev.join("vfio").join(number.to_string())),
            noiommu: text(&folder.join("name")).is_some_and(|name| name == "vfio-noiommu"),
            trial: Trial::NotTried,
        }
    }

    fn trial(&self, number: u32) -> Trial {
        trial::attach(number)
    }
}

fn access(node: &Path) -> Access {
    use rustix::fs::{Access as Mode, access};
    match access(node, Mode::READ_OK | Mode::WRITE_OK) {
        Ok(()) => Access::Granted,
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => Access::Absent,
        Err(_) => Access::Denied,
    }
}

/// The trimmed content of a small file.
fn text(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

/// The last part of what a link points to.
fn link(path: &Path) -> Option<String> {
    fs::read_link(path).ok()?.file_name()?.to_str().map(str::to_owned)
}
