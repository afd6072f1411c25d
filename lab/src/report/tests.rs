//! A results folder read back.

use std::fs;

use super::{Halt, Look, Report};

const CONSOLE: &str = "[    0.5] noise\r
LAB up 3.1\r
LAB date 1700000005\r
LAB cpus 4\r
LAB disk-up 4.5\r
LAB digest abc\r
LAB write ok\r
LAB rebound 1\r
LAB rebound 2\r
LAB rig 4 rounds\r
LAB rig exit 0 one --times 2\r
LAB kernel 5 abc\r
LAB barks 2\r
LAB irq nvme0q0 12\r
LAB irq nvme0q1 130\r
LAB irq eth0-rx-0 9\r
LAB dmesg [ 1.0] iommu: Default domain type: Translated\r
LAB group 0 DMA-FQ 0000:01:00.0 nvme\r
LAB reserved 0 0x00000000fee00000 0x00000000feefffff msi\r
LAB ready 6.0\r
LAB end poweroff\r
";

const FACTS: &str = "viommu-exit 0\nsocket-left\nretry 1\nexit 0\nseconds 9\nlocked 0\npinned 0\n\
                     group-free 0000:01:00.0\nvcpu-time-running 250\nvcpu-time-halted 0\npinned-halted 44\n\
                     console-halted 7\ncontrol-failed resume\ngroup-busy 0000:02:00.0\nrig killed 7\n\
                     look kernel-5 44\nhost-files 600\nhost-memory 70000\n\
                     date-before 1700000000\ndate-after 1700000009\n";

#[test]
fn guest_and_host_facts_are_read() {
    let folder = std::env::temp_dir().join(format!("lab-report-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    for (name, text) in [
        ("console", CONSOLE),
        ("facts", FACTS),
        ("command", "mixvm run\n"),
        ("host.dmesg", "DMAR: [DMA Read NO_PASID] Request device [01:00.0] fault addr 0x1000\nvfio: fine\n"),
        ("viommu.err", "no socket"),
        ("viommu.svg", "<svg "),
        ("viommu.map", "domain 1: "),
    ] {
        fs::write(folder.join(name), text).unwrap();
    }
    let report = Report::read(&folder);
    fs::remove_dir_all(&folder).unwrap();

    assert_eq!((report.exit, report.cpus, report.retries, report.stalled), (Some(0), Some(4), 1, false));
    assert!(report.socket_left);
    let dates = (Some(1_700_000_000), Some(1_700_000_009));
    assert_eq!((report.date, report.host_dates), (Some(1_700_000_005), dates));
    assert_eq!((report.digest.as_deref(), report.write.as_deref()), (Some("abc"), Some("ok")));
    assert_eq!((report.interrupts("nvme"), report.interrupts("eth"), report.vectors.len()), (142, 9, 3));
    assert_eq!((report.groups[0].kind.as_str(), report.groups[0].driver.as_str()), ("DMA-FQ", "nvme"));
    assert_eq!(report.reserved, ["0 0x00000000fee00000 0x00000000feefffff msi"]);
    assert_eq!((report.free.len(), report.busy.len(), report.host_faults.len()), (1, 1, 1));
    assert_eq!((report.locked_kib, report.pinned_pages, report.rebinds), (Some(0), Some(0), 2));
    assert_eq!(report.rig, ["4 rounds", "exit 0 one --times 2", "killed 7"]);
    let look = Look { moment: "kernel-5".into(), shown: None, pinned_pages: Some(44) };
    assert_eq!((report.looks, report.kernels), (vec![look], vec![(5, "abc".to_owned())]));
    assert_eq!((report.host_files, report.host_memory_kib), (Some(600), Some(70_000)));
    let halt = Halt {
        time_running: Some(250),
        time_halted: Some(0),
        console: Some(7),
        pinned_pages: Some(44),
        shown: None,
        barks: Some(2),
        refused: vec!["resume".into()],
    };
    assert_eq!(report.halt, halt);
    assert!(report.drawn && report.viommu.is_none() && report.viommu_error.unwrap().contains("no socket"));
}
