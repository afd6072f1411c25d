//! The door to KVM: opened, checked for all that we need, with errors that say what to do.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use kvm_bindings as kvm;
use kvm_ioctls::VmFd;
use thiserror::Error;

use crate::arch;

/// The version that KVM has had since 2007.
const API_VERSION: i32 = kvm::KVM_API_VERSION as i32;

/// What every machine needs, by capability number.
const NEEDED: [(u32, &str); 8] = [
    (kvm::KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY"),
    (kvm::KVM_CAP_IRQCHIP, "KVM_CAP_IRQCHIP"),
    (kvm::KVM_CAP_IRQ_ROUTING, "KVM_CAP_IRQ_ROUTING"),
    (kvm::KVM_CAP_IRQFD, "KVM_CAP_IRQFD"),
    (kvm::KVM_CAP_IRQFD_RESAMPLE, "KVM_CAP_IRQFD_RESAMPLE"),
    (kvm::KVM_CAP_IOEVENTFD_ANY_LENGTH, "KVM_CAP_IOEVENTFD_ANY_LENGTH"),
    (kvm::KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT"),
    (kvm::KVM_CAP_DEVICE_CTRL, "KVM_CAP_DEVICE_CTRL"),
];

/// Why KVM cannot be used.
#[derive(Debug, Error)]
pub enum OpenError {
    /// No such file.
    #[error(
        "there is no {}: load the module (`modprobe {}`) and see that virtualization is enabled in the firmware setup; \
         inside a virtual machine its host must allow nesting",
        path.display(), arch::MODULE
    )]
    Absent {
        /// What was opened.
        path: PathBuf,
    },
    /// May not be opened.
    #[error("no permission to use {}: add your user to the group that owns it (`usermod -aG kvm USER`) and log in again", .path.display())]
    Denied {
        /// What was opened.
        path: PathBuf,
    },
    /// Cannot be opened for another reason.
    #[error("cannot open {}: {source}", .path.display())]
    Open {
        /// What was opened.
        path: PathBuf,
        /// What the kernel answered.
        source: io::Error,
    },
    /// Something else than the KVM that we know.
    #[error("{} answers with KVM version {found} where 12 is needed: is it the KVM device?", .path.display())]
    Version {
        /// What was opened.
        path: PathBuf,
        /// Its version; -1 when it is not KVM at all.
        found: i32,
    },
    /// KVM lacks something.
    #[error("KVM of this host lacks {extension}: a newer kernel is needed")]
    Missing {
        /// Name of the capability.
        extension: &'static str,
    },
    /// A question failed.
    #[error("{call} on the KVM device: {source}")]
    Ask {
        /// The ioctl.
        call: &'static str,
        /// What the kernel answered.
        source: io::Error,
    },
}

/// The opened KVM device; it has all that machines need.
#[derive(Debug)]
pub struct Kvm {
    fd: kvm_ioctls::Kvm,
}

impl Kvm {
    /// Opens `path`, or /dev/kvm, and checks it.
    pub fn open(path: Option<&Path>) -> Result<Kvm, OpenError> {
        let path = path.unwrap_or(Path::new("/dev/kvm"));
        let name = CString::new(path.as_os_str().as_bytes())
            .map_err(|e| OpenError::Open { path: path.into(), source: e.into() })?;
        let fd = kvm_ioctls::Kvm::new_with_path(&name).map_err(|errno| refusal(path, errno.errno()))?;
        let found = fd.get_api_version();
        if found != API_VERSION {
            return Err(OpenError::Version { path: path.into(), found });
        }
        let kvm = Kvm { fd };
        for (number, extension) in NEEDED.iter().chain(arch::NEEDED) {
            if kvm.extension(*number) <= 0 {
                return Err(OpenError::Missing { extension });
            }
        }
        Ok(kvm)
    }

    /// The most processors that a machine may have.
    pub fn max_vcpus(&self) -> u32 {
        u32::try_from(self.fd.get_max_vcpus()).unwrap_or(u32::MAX).min(arch::MAX_VCPUS)
    }

    /// The most memory slots that a machine may have.
    pub(crate) fn max_slots(&self) -> u32 {
        u32::try_from(self.fd.get_nr_memslots()).unwrap_or(u32::MAX)
    }

    /// Entries that a routing table may have.
    pub(crate) fn max_routes(&self) -> u32 {
        // Both bindings and older kernels stop here.
        const MOST: u32 = kvm::KVM_MAX_IRQ_ROUTES as u32 - 1;
        u32::try_from(self.extension(kvm::KVM_CAP_IRQ_ROUTING)).map_or(0, |n| n.min(MOST))
    }

    /// What KVM says to a capability number; 0 or less when it has it not.
    pub(crate) fn extension(&self, number: u32) -> i32 {
        self.fd.check_extension_raw(number.into())
    }

    pub(crate) fn fd(&self) -> &kvm_ioctls::Kvm {
        &self.fd
    }

    /// A new, empty machine.
    pub(crate) fn create(&self) -> io::Result<VmFd> {
        loop {
            match self.fd.create_vm() {
                Err(errno) if errno.errno() == libc::EINTR => {}
                other => return other.map_err(io::Error::from),
            }
        }
    }
}

/// Says why opening failed.
fn refusal(path: &Path, errno: i32) -> OpenError {
    let path = path.to_path_buf();
    match errno {
        // ENODEV and ENXIO: the file is there, its module is not.
        libc::ENOENT | libc::ENODEV | libc::ENXIO => OpenError::Absent { path },
        libc::EACCES | libc::EPERM => OpenError::Denied { path },
        errno => OpenError::Open { path, source: io::Error::from_raw_os_error(errno) },
    }
}

#[cfg(test)]
mod tests;
