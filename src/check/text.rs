//! The report as people read it.

use std::fmt::{self, Formatter};

use super::report::{CheckReport, DeviceReport, GroupReport, GuestReport, KvmReport, MemberReport};

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        kvm(f, &self.kvm)?;
        self.devices.iter().try_for_each(|entry| device(f, entry))?;
        self.groups.iter().try_for_each(|entry| group(f, entry))?;
        if let Some(names) = &self.guest_interrupt_controllers {
            writeln!(f, "guest interrupt controllers")?;
            line(f, "KVM offers", &if names.is_empty() { "none".to_owned() } else { names.join(", ") })?;
        }
        if let Some(entry) = &self.guest {
            guest(f, entry)?;
        }
        let memlock = &self.memlock;
        writeln!(f, "locked memory for a guest of {}", base::bytes(memlock.guest_ram))?;
        line(f, "needed", &base::bytes(memlock.needed))?;
        line(f, "limit", &memlock.limit.map_or_else(|| "none".to_owned(), base::bytes))?;
        self.warnings.iter().try_for_each(|warning| writeln!(f, "note: {warning}"))?;
        if self.assignable {
            return writeln!(f, "\nReady: a run with this would start.");
        }
        writeln!(f, "\nNot ready:")?;
        self.refusals.iter().try_for_each(|refusal| writeln!(f, "- {}", refusal.text))
    }
}

/// One labelled line.
fn line(f: &mut Formatter<'_>, label: &str, value: &str) -> fmt::Result {
    writeln!(f, "  {label:<16}{value}")
}

fn kvm(f: &mut Formatter<'_>, kvm: &KvmReport) -> fmt::Result {
    writeln!(f, "KVM")?;
    line(f, "/dev/kvm", &kvm.state)?;
    match kvm.address_bits {
        Some(bits) => line(f, "guest addresses", &format!("{bits} bits")),
        None => Ok(()),
    }
}

fn device(f: &mut Formatter<'_>, device: &DeviceReport) -> fmt::Result {
    let (Some(address), Some(class), Some(ids)) = (&device.address, &device.class, &device.ids) else {
        return writeln!(f, "{}: no PCI device of this host", device.path);
    };
    writeln!(f, "{address}  {ids}, class {class}")?;
    let bound = if device.bound_to_vfio { "" } else { " (not given up)" };
    line(f, "driver", &format!("{}{bound}", device.driver.as_deref().unwrap_or("none")))?;
    line(f, "IOMMU group", &device.group.map_or_else(|| "none".to_owned(), |number| number.to_string()))
}

fn group(f: &mut Formatter<'_>, group: &GroupReport) -> fmt::Result {
    writeln!(f, "IOMMU group {}", group.number)?;
    list(f, "devices", &group.members, member)?;
    line(f, "free of host", if group.viable { "yes" } else { "no" })?;
    line(f, "attach", &group.attach)?;
    line(f, "MSIs isolated", group.msis_isolated)?;
    list(f, "reserved", &group.reserved, |region| format!("{} {}", region.span, region.kind))?;
    list(f, "can map", &group.can_map, ToString::to_string)?;
    if let Some(mask) = group.page_size_mask {
        line(f, "page sizes", &page_sizes(mask))?;
    }
    match group.most_mappings {
        Some(most) => line(f, "mappings", &format!("{most} at most")),
        None => Ok(()),
    }
}

fn guest(f: &mut Formatter<'_>, guest: &GuestReport) -> fmt::Result {
    writeln!(f, "in the guest")?;
    list(f, "devices", &guest.devices, |(host, at)| format!("{host} at {at}"))?;
    if let Some(frame) = guest.msi_frame {
        line(f, "MSI frame", &frame.to_string())?;
    }
    let (Some(input), Some(mask)) = (guest.input_range, guest.page_size_mask) else { return Ok(()) };
    line(f, "input range", &input.to_string())?;
    line(f, "page sizes", &page_sizes(mask))?;
    list(f, "reserved", &guest.reserved, |region| {
        let kind = match region.kind {
            crate::plan::RegionKind::Msi => "msi",
            crate::plan::RegionKind::Reserved => "reserved",
        };
        format!("{} {kind}", region.span)
    })
}

/// The label before the first entry, the others below it; `none` without entries.
fn list<T>(f: &mut Formatter<'_>, label: &str, entries: &[T], text: impl Fn(&T) -> String) -> fmt::Result {
    let Some((first, rest)) = entries.split_first() else { return line(f, label, "none") };
    line(f, label, &text(first))?;
    rest.iter().try_for_each(|entry| line(f, "", &text(entry)))
}

fn member(member: &MemberReport) -> String {
    let driver = member.driver.as_deref().unwrap_or("no driver");
    let bridge = if member.bridge { ", a bridge" } else { "" };
    let blocks = if member.viable { "" } else { ", holds the group" };
    format!("{} ({driver}{bridge}{blocks})", member.address)
}

/// Each size of a mask.
fn page_sizes(mask: u64) -> String {
    let sizes = (0..u64::BITS).filter(|bit| mask >> bit & 1 == 1).map(|bit| base::bytes(1 << bit));
    sizes.collect::<Vec<_>>().join(", ")
}
