//! What the host says about a PCI function, and the function in our hands.
//!
//! Fields of [`Held`] are in the order in which VFIO wants them dropped: device, group, container.

use std::fs;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use data_model::Span;
use vfio::{Container, Device, Group};

/// A function held through VFIO in a container of its own.
pub struct Held {
    /// The function.
    pub device: Device,
    _group: Group,
    /// Where its mappings go.
    pub container: Arc<Container>,
    /// The group's number.
    pub number: u32,
}

/// Another function in the container of a [`Held`]; dropped, its group leaves.
pub struct Joined {
    _device: Device,
    _group: Group,
}

impl Held {
    /// Takes the function at a PCI address (`0000:01:00.0`), which is bound to vfio-pci.
    pub fn open(address: &str) -> Result<Held> {
        let number = group_of(address)?;
        let container = Arc::new(Container::open()?);
        let group = Group::open(number)?;
        group.attach(&container)?;
        container.set_iommu_type1v2()?;
        let device = group.device(address)?;
        Ok(Held { device, _group: group, container, number })
    }

    /// Puts the group of another function, bound to vfio-pci too, into the same container: both reach what is mapped there.
    pub fn join(&self, address: &str) -> Result<Joined> {
        let group = Group::open(group_of(address)?)?;
        group.attach(&self.container)?;
        let _device = group.device(address)?;
        Ok(Joined { _device, _group: group })
    }

    /// Addresses that may be mapped, in order.
    pub fn allowed(&self) -> Result<Vec<Span>> {
        let info = self.container.info().context("reading the facts of the container")?;
        let allowed = info.iova_ranges.context("the kernel names no ranges that may be mapped")?;
        ensure!(!allowed.is_empty(), "the kernel lets nothing be mapped");
        Ok(allowed)
    }
}

/// The number of a function's IOMMU group.
pub fn group_of(address: &str) -> Result<u32> {
    let link = format!("/sys/bus/pci/devices/{address}/iommu_group");
    let target = fs::read_link(&link).with_context(|| format!("reading {link}; is there such a device?"))?;
    let name = target.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.parse().with_context(|| format!("{link} leads to {}, which is no group", target.display()))
}

/// A group's reserved regions: where, and what the kernel calls them.
pub fn reserved_of(group: u32) -> Result<Vec<(Span, String)>> {
    let path = format!("/sys/kernel/iommu_groups/{group}/reserved_regions");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    text.lines().map(|line| region(line).with_context(|| format!("{path} says {line:?}"))).collect()
}

fn region(line: &str) -> Option<(Span, String)> {
    let mut words = line.split_whitespace();
    let mut number = || u64::from_str_radix(words.next()?.trim_start_matches("0x"), 16).ok();
    let span = Span::new(number()?, number()?)?;
    Some((span, words.next()?.to_owned()))
}
