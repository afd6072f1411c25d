//! What the outcome of a trial attach means.

use rustix::io::Errno;

use super::{Member, denied, name};
use crate::errors::Refusal;
use crate::host::{GroupFacts, MachineFacts, Trial};

/// The refusal that follows from the trial, if one does.
pub(super) fn refusal(group: &GroupFacts, members: &[Member], machine: &MachineFacts) -> Option<Refusal> {
    let refused =
        |why: String, remedy: &str| Some(Refusal::new(name(group), "cannot be attached", why, remedy));
    match &group.trial {
        Trial::Attached(_) => None,
        Trial::Denied => Some(denied(group)),
        Trial::Busy => refused(
            "another program has it open (EBUSY)".to_owned(),
            "Stop the virtual machine or driver that uses the device.",
        ),
        Trial::IommuRefused(errno) if is(*errno, Errno::PERM) && machine.unsafe_allowed != Some(true) => {
            Some(not_isolated(group, members))
        }
        Trial::GroupRefused(errno) if is(*errno, Errno::PERM) => refused(
            "the host says that it belongs to another owner (EPERM)".to_owned(),
            "Stop whatever else uses the group: another program, or a driver through iommufd.",
        ),
        Trial::GroupRefused(errno) if is(*errno, Errno::BUSY) => refused(
            "a driver of the host still uses its IOMMU domain (EBUSY)".to_owned(),
            "Unbind that driver from every device of the group.",
        ),
        Trial::GroupRefused(errno) if is(*errno, Errno::INVAL) => refused(
            "the kernel refuses it (EINVAL), as it does when firmware keeps memory mapped for a device (RMRR)".to_owned(),
            "The host's kernel log says more: dmesg | grep -i -e vfio -e iommu",
        ),
        Trial::GroupRefused(errno) | Trial::IommuRefused(errno) => refused(
            format!("the kernel answered: {}", std::io::Error::from_raw_os_error(*errno)),
            "The host's kernel log says more: dmesg | grep -i -e vfio -e iommu",
        ),
        Trial::Failed(reason) => refused(reason.clone(), "The host's kernel log may say more."),
        Trial::NotTried => refused("it was not tried".to_owned(), "Try again with `mixvm check`."),
    }
}

fn is(errno: i32, expected: Errno) -> bool {
    errno == expected.raw_os_error()
}

/// EPERM: the device could raise any interrupt of the host, and the host does not allow that.
fn not_isolated(group: &GroupFacts, members: &[Member]) -> Refusal {
    let host = "the host must allow it: vfio_iommu_type1.allow_unsafe_interrupts=1 on its kernel command line, or as \
                root: echo Y > /sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts";
    let remedy = match members.iter().find(|member| !member.unsafe_interrupts) {
        None => format!("unsafe-interrupts=on is not enough, {host}"),
        Some(member) => format!(
            "Turn interrupt remapping on (x86: in the firmware, and no intremap=off; Arm: it takes an ITS). If the guest \
             is trusted, say --vfio {},unsafe-interrupts=on; then also {host}",
            member.bdf
        ),
    };
    Refusal::new(
        name(group),
        "cannot be attached",
        "its interrupts (MSIs) are not isolated, so the device could raise any interrupt of the host (EPERM)",
        remedy,
    )
}
