//! The shell text of jobs, and how a program of the lab host is run.

mod command;

use std::process::Command;

use super::{Guest, Job, Step, Strike, UNPACKED};
use crate::qemu::Device;

fn guest() -> Guest {
    Guest {
        name: "two".into(),
        cpus: 4,
        memory_mib: 512,
        devices: vec![Device::Nvme, Device::E1000e],
        params: "iommu.strict=1".into(),
        actions: vec!["disk", "network", "rig"],
        rig: vec!["one --times 2", "two"],
        device_options: "",
        kernel: UNPACKED,
        strike: None,
        options: Vec::new(),
    }
}

fn job(steps: Vec<Step>) -> Job {
    Job {
        devices: vec![Device::Nvme, Device::E1000e],
        steps,
        guest_stall: 90,
        guest_params: "pci=x",
        ..Job::default()
    }
}

#[test]
fn a_guest_becomes_one_vmm_command_with_its_devices() {
    let text = job(vec![Step::Guest(guest())]).script(32);
    let line = text.lines().find(|line| line.starts_with("guest ")).unwrap();
    assert!(line.starts_with(r#"guest two 90 "$NVME $E1000E" mixvm run --cpus 4 --mem 512"#));
    assert!(line.contains(
        "'console=ttyS0 panic=-1 quiet pci=x lab.do=disk,network,rig lab.mib=32 lab.index=0 \
             lab.rig=one,--times,2 lab.rig=two iommu.strict=1'"
    ));
    assert!(line.contains(r#"--virtio-iommu --vfio "$NVME" --vfio "$E1000E" -s /run/vm.sock"#));
    assert!(line.ends_with("/guest/guest-kernel"));
}

#[test]
fn a_strike_goes_before_the_guest() {
    let strike = Some(Strike { moment: "dma", victim: "vfio $NVME" });
    let text = job(vec![Step::Guest(Guest { strike, ..guest() })]).script(32);
    assert!(text.contains("\nkill_at dma \"vfio $NVME\" guest two 90 "), "{text}");
}

#[test]
fn devices_are_bound_before_the_first_step() {
    let text = job(vec![Step::Command { name: "x".into(), limit: 5, shell: "true".into() }]).script(32);
    let at = |part: &str| text.find(part).unwrap();
    assert!(at("NVME=$(find_pci 1b36 0010 1)") < at("assign \"$E1000E\""));
    assert!(at("assign \"$E1000E\"") < at("command_step x 5 true"));
}

#[test]
fn every_job_is_valid_shell() {
    let steps = vec![
        Step::Check { name: "check".into(), devices: vec![Device::Nvme, Device::E1000e] },
        Step::Guest(guest()),
        Step::Command { name: "it's".into(), limit: 5, shell: "echo \"a b\" 'c' | cat".into() },
    ];
    let output = Command::new("sh").args(["-n", "-c", &job(steps).script(32)]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
