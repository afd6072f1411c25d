//! KVM's VFIO device: tells KVM which VFIO files the machine uses.
//!
//! A file must be added before its device descriptor is taken or bound, and again removed after that is closed.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::Arc;

use kvm_bindings as kvm;
use kvm_ioctls::DeviceFd;

use crate::vm::{Handle, Vm, VmError};

/// The link between a machine and VFIO; a machine can have one.
pub struct VfioLink {
    device: DeviceFd,
    /// The device holds the machine: so must its memory be held.
    _vm: Arc<Handle>,
}

impl VfioLink {
    /// Makes the link.
    pub fn new(vm: &Vm) -> Result<VfioLink, VmError> {
        let mut request =
            kvm::kvm_create_device { type_: kvm::kvm_device_type_KVM_DEV_TYPE_VFIO, fd: 0, flags: 0 };
        let refused = |errno: kvm_ioctls::Error| VmError::new("KVM_CREATE_DEVICE (VFIO)", errno.into());
        let device = vm.handle().fd.create_device(&mut request).map_err(refused)?;
        Ok(VfioLink { device, _vm: vm.handle().clone() })
    }

    /// Adds a VFIO file: a group, or (Linux 6.6 on) a device's own node.
    pub fn add_file(&self, file: impl AsFd) -> io::Result<()> {
        // Before Linux 6.6 the same numbers were called KVM_DEV_VFIO_GROUP and took groups only.
        self.change(kvm::KVM_DEV_VFIO_FILE_ADD, file.as_fd())
    }

    /// Removes a file that was added.
    pub fn remove_file(&self, file: impl AsFd) -> io::Result<()> {
        self.change(kvm::KVM_DEV_VFIO_FILE_DEL, file.as_fd())
    }

    fn change(&self, attr: u32, file: BorrowedFd<'_>) -> io::Result<()> {
        let number: i32 = file.as_raw_fd();
        let attr = kvm::kvm_device_attr {
            group: kvm::KVM_DEV_VFIO_FILE,
            attr: attr.into(),
            // The kernel reads these four bytes during the call.
            addr: &raw const number as u64,
            flags: 0,
        };
        self.device.set_device_attr(&attr).map_err(io::Error::from)
    }
}
