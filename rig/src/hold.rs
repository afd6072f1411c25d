//! Keeps a virtual machine with one processor that never runs.
//!
//! KVM patches the kernel's code when the first virtual machine comes and when the last one goes (the scheduler's preemption
//! notifiers), and again when the first processor with its interrupt controller switched off does (x86). Under TCG with several
//! processors a patched place is now and then executed as it stood half-way, and the host's kernel panics with
//! `Oops: int3`. While somebody else holds a virtual machine, none of those places changes.

use anyhow::{Context, Result};
use kvm_ioctls::Kvm;

/// Holds the machine until the process is killed.
pub fn vm() -> Result<()> {
    let kvm = Kvm::new().context("opening /dev/kvm")?;
    let vm = kvm.create_vm().context("creating a virtual machine")?;
    #[cfg(target_arch = "x86_64")]
    vm.create_irq_chip().context("creating its interrupt controllers")?;
    let _held = vm.create_vcpu(0).context("creating its processor")?;
    loop {
        std::thread::park();
    }
}
