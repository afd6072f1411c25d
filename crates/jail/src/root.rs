//! An empty, read-only root directory in place of the host's.

use std::path::Path;

use rustix::io::{Errno, Result};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MountPropagationFlags, UnmountFlags,
    fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, mount, mount_change,
    mount_move, mount_remount, unmount,
};
use rustix::process::{chdir, chroot, fchdir, pivot_root};

/// Directories that every host has; the new root is mounted on the first of them, in this process's mount namespace.
const PLACES: &[&str] = &["/proc", "/dev", "/sys", "/tmp"];

const FLAGS: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV).union(MountFlags::NOEXEC);

/// Stops mounts from travelling between this namespace and the host's. Needs a mount namespace of its own.
///
/// False in a chroot to a directory that is no mount: then no mount may be made, for the host would see it.
pub(crate) fn keep_mounts_private() -> Result<bool> {
    match mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC) {
        Ok(()) => Ok(true),
        Err(Errno::INVAL) => Ok(false),
        Err(other) => Err(other),
    }
}

/// Puts the empty root in place, and the host's out of reach.
///
/// Where the host runs from its initial file system (an initramfs), which cannot be pivoted away from, the new root is moved over it and
/// entered by chroot; the old one then lies beneath, and only a process with capabilities could dig for it.
pub(crate) fn replace(private: bool) -> Result<()> {
    if !private {
        return enter_detached();
    }
    let place = PLACES.iter().find(|place| Path::new(place).is_dir()).ok_or(Errno::NOENT)?;
    mount("none", *place, "tmpfs", FLAGS, Some(c"size=4k,nr_inodes=1,mode=0555"))?;
    chdir(*place)?;
    match pivot_root(".", ".") {
        Ok(()) => unmount(".", UnmountFlags::DETACH)?,
        Err(Errno::INVAL) => {
            mount_move(".", "/")?;
            chroot(".")?;
        }
        Err(other) => return Err(other),
    }
    chdir("/")?;
    mount_remount("/", FLAGS | MountFlags::RDONLY, c"")
}

/// Enters an empty file system that is mounted nowhere: no other namespace can notice it. The old root stays mounted, where only a process
/// with capabilities could find it.
fn enter_detached() -> Result<()> {
    let tmpfs = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in [("size", "4k"), ("nr_inodes", "1"), ("mode", "0555")] {
        fsconfig_set_string(&tmpfs, key, value)?;
    }
    fsconfig_set_flag(&tmpfs, "ro")?;
    fsconfig_create(&tmpfs)?;
    let attributes = MountAttrFlags::MOUNT_ATTR_RDONLY
        | MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let root = fsmount(&tmpfs, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
    fchdir(&root)?;
    chroot(".")
}
