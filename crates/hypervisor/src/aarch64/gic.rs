//! The interrupt controller, in the kernel: GICv3 with or without an ITS, or GICv2.
//!
//! Order matters to KVM: the device is made with the machine, initialized when all processors exist, and only then takes
//! routes and irqfds.

use std::io;

use data_model::Span;
use kvm_bindings as kvm;
use kvm_ioctls::{DeviceFd, VmFd};
use vmm_sys_util::ioctl::ioctl_with_mut_ref;
use vmm_sys_util::ioctl_iowr_nr;

use super::abort;
use crate::kvm::{Kvm, OpenError};
use crate::routes::Wiring;
use crate::vm::{VmConfig, VmError};

// kvm-ioctls would take the descriptor of a mere question for an open one, so the question is asked here.
ioctl_iowr_nr!(KVM_CREATE_DEVICE, kvm::KVMIO, 0xe0, kvm::kvm_create_device);

/// The module to load where KVM is absent.
pub(crate) const MODULE: &str = "kvm";
/// More than a GICv3 machine of ours has redistributors for.
pub(crate) const MAX_VCPUS: u32 = 512;
/// What machines need besides the common capabilities.
pub(crate) const NEEDED: &[(u32, &str)] =
    &[(kvm::KVM_CAP_ONE_REG, "KVM_CAP_ONE_REG"), (kvm::KVM_CAP_ARM_PSCI_0_2, "KVM_CAP_ARM_PSCI_0_2")];
/// Guest-physical ranges where memory must not be placed.
pub(crate) const RESERVED: &[(Span, &str)] = &[];

/// Interrupts below the shared ones.
const PRIVATE: u32 = 32;
const V2: u32 = kvm::kvm_device_type_KVM_DEV_TYPE_ARM_VGIC_V2;
const V3: u32 = kvm::kvm_device_type_KVM_DEV_TYPE_ARM_VGIC_V3;
const ITS: u32 = kvm::kvm_device_type_KVM_DEV_TYPE_ARM_VGIC_ITS;

/// Which controllers a host offers to its guests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GicOffer {
    /// GICv3.
    pub v3: bool,
    /// An interrupt translation service beside GICv3.
    pub its: bool,
    /// GICv2 (at most 8 processors).
    pub v2: bool,
}

/// Which controller, and where. Addresses are guest-physical starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GicLayout {
    /// GICv3.
    V3 {
        /// Distributor, 64 KiB.
        dist: u64,
        /// Redistributors, 128 KiB for each processor.
        redist: u64,
        /// Interrupt translation service, 128 KiB; its doorbell page is the second half.
        its: Option<u64>,
    },
    /// GICv2.
    V2 {
        /// Distributor, 4 KiB.
        dist: u64,
        /// Processor interface, 8 KiB.
        cpu: u64,
    },
}

/// The interrupt controller of a machine.
#[derive(Clone, Copy, Debug)]
pub struct GicConfig {
    /// Which, and where.
    pub layout: GicLayout,
    /// Interrupts, the 32 private ones included: a multiple of 32 from 64 to 992.
    pub irqs: u32,
}

/// The controller of one machine.
pub(crate) struct Chips {
    gic: DeviceFd,
    its: Option<DeviceFd>,
    spis: u32,
}

impl Chips {
    /// A GIC is initialized later.
    pub(crate) const READY_AT_ONCE: bool = false;

    pub(crate) fn new(host: &Kvm, fd: &VmFd, config: &VmConfig) -> Result<Chips, VmError> {
        abort::take_over(host, fd)?;
        let GicConfig { layout, irqs } = config.gic;
        if !irqs.is_multiple_of(32) || !(64..=992).contains(&irqs) {
            return Err(VmError::new("number of GIC interrupts", io::ErrorKind::InvalidInput.into()));
        }
        let (gic, its) = match layout {
            GicLayout::V3 { dist, redist, its } => {
                let gic = create(fd, V3, "KVM_CREATE_DEVICE (GICv3)")?;
                place(&gic, kvm::KVM_VGIC_V3_ADDR_TYPE_DIST, dist, "placing the GICv3 distributor")?;
                place(&gic, kvm::KVM_VGIC_V3_ADDR_TYPE_REDIST, redist, "placing the GICv3 redistributors")?;
                (gic, its.map(|address| create_its(fd, address)).transpose()?)
            }
            GicLayout::V2 { dist, cpu } => {
                let gic = create(fd, V2, "KVM_CREATE_DEVICE (GICv2)")?;
                place(&gic, kvm::KVM_VGIC_V2_ADDR_TYPE_DIST, dist, "placing the GICv2 distributor")?;
                place(&gic, kvm::KVM_VGIC_V2_ADDR_TYPE_CPU, cpu, "placing the GICv2 processor interface")?;
                (gic, None)
            }
        };
        let group = kvm::KVM_DEV_ARM_VGIC_GRP_NR_IRQS;
        set(&gic, group, 0, &raw const irqs as u64, "setting the number of GIC interrupts")?;
        Ok(Chips { gic, its, spis: irqs - PRIVATE })
    }

    /// Initializes controller and ITS; all processors exist.
    pub(crate) fn finish(&self) -> Result<(), VmError> {
        let (group, init) = (kvm::KVM_DEV_ARM_VGIC_GRP_CTRL, u64::from(kvm::KVM_DEV_ARM_VGIC_CTRL_INIT));
        set(&self.gic, group, init, 0, "initializing the GIC")?;
        match &self.its {
            Some(its) => set(its, group, init, 0, "initializing the GICv3 ITS"),
            None => Ok(()),
        }
    }

    pub(crate) fn wiring(&self) -> Wiring {
        Wiring::Gic { spis: self.spis }
    }

    /// An ITS translates by device id.
    pub(crate) fn devids(&self) -> bool {
        self.its.is_some()
    }
}

fn create_its(fd: &VmFd, address: u64) -> Result<DeviceFd, VmError> {
    let its = create(fd, ITS, "KVM_CREATE_DEVICE (GICv3 ITS)")?;
    place(&its, kvm::KVM_VGIC_ITS_ADDR_TYPE, address, "placing the GICv3 ITS")?;
    Ok(its)
}

fn create(fd: &VmFd, type_: u32, call: &'static str) -> Result<DeviceFd, VmError> {
    let mut request = kvm::kvm_create_device { type_, fd: 0, flags: 0 };
    fd.create_device(&mut request).map_err(|e| VmError::new(call, e.into()))
}

fn place(device: &DeviceFd, type_: u32, address: u64, call: &'static str) -> Result<(), VmError> {
    set(device, kvm::KVM_DEV_ARM_VGIC_GRP_ADDR, type_.into(), &raw const address as u64, call)
}

/// Sets an attribute; `value` is the address of its value, read during the call, or 0.
fn set(device: &DeviceFd, group: u32, attr: u64, value: u64, call: &'static str) -> Result<(), VmError> {
    let attr = kvm::kvm_device_attr { group, attr, addr: value, flags: 0 };
    device.set_device_attr(&attr).map_err(|e| VmError::new(call, e.into()))
}

impl Kvm {
    /// Width of guest-physical addresses in bits.
    pub fn phys_bits(&self) -> Result<u8, OpenError> {
        // KVM before Linux 4.20 has no such question and always gives 40.
        Ok(u8::try_from(self.fd().get_host_ipa_limit()).ok().filter(|bits| *bits > 0).unwrap_or(40))
    }

    /// Asks which interrupt controllers the host offers, on a machine made for the question.
    pub fn detect_gic(&self) -> Result<GicOffer, OpenError> {
        let fd = self.create().map_err(|source| OpenError::Ask { call: "KVM_CREATE_VM", source })?;
        let v3 = offers(&fd, V3);
        let its = v3 && offers(&fd, ITS);
        Ok(GicOffer { v3, its, v2: offers(&fd, V2) })
    }
}

fn offers(fd: &VmFd, type_: u32) -> bool {
    let mut request = kvm::kvm_create_device { type_, fd: 0, flags: kvm::KVM_CREATE_DEVICE_TEST };
    // SAFETY: the kernel reads and writes only this structure, and with this flag makes nothing.
    unsafe { ioctl_with_mut_ref(fd, KVM_CREATE_DEVICE(), &mut request) == 0 }
}
