//! Lines of kernels, as they were seen.

use super::{address_in, faults, is_fault};

#[test]
fn faults_are_told_from_the_iommus_ordinary_lines() {
    let cases = [
        ("DMAR: DRHD: handling fault status reg 2", true),
        ("DMAR: [DMA Write NO_PASID] Request device [01:00.0] fault addr 0xffff", true),
        ("arm-smmu-v3 arm-smmu-v3.0.auto: event 0x10 received:", true),
        ("arm-smmu-v3 9050000.smmuv3: event: F_TRANSLATION client: 0000:01:00.0", true),
        ("DMAR: IOMMU enabled", false),
        ("DMAR: Intel(R) Virtualization Technology for Directed I/O", false),
        ("vfio-pci 0000:01:00.0: resetting", false),
    ];
    for (line, expected) in cases {
        assert_eq!(is_fault(line), expected, "{line}");
    }
}

#[test]
fn every_form_of_a_fault_gives_its_address() {
    let arm = "arm-smmu-v3 arm-smmu-v3.0.auto: event 0x10 received:\n\
               arm-smmu-v3 arm-smmu-v3.0.auto: \t0x0000010000000010\n\
               clocksource: Long readout interval\n\
               arm-smmu-v3 arm-smmu-v3.0.auto: \t0x0000020800000000\n\
               arm-smmu-v3 arm-smmu-v3.0.auto: \t0x00000005dead0200\n\
               arm-smmu-v3 arm-smmu-v3.0.auto: \t0x0000000000000000\n";
    let newer = "arm-smmu-v3 9050000.smmuv3: event: F_TRANSLATION client: 0000:01:00.0 sid: 0x100 iova: 0x1000 ipa: 0x0";
    let intel = "DMAR: DRHD: handling fault status reg 2\n\
                 DMAR: [DMA Write NO_PASID] Request device [01:00.0] fault addr 0x40000000 [fault reason 0x05] PTE";
    let cases: [(&str, &[Option<u64>]); 4] = [
        (arm, &[Some(0x5_dead_0200)]),
        (newer, &[Some(0x1000)]),
        (intel, &[None, Some(0x4000_0000)]),
        ("vfio-pci 0000:01:00.0: resetting", &[]),
    ];
    for (log, expected) in cases {
        let found: Vec<_> = faults(log).iter().map(|line| address_in(line)).collect();
        assert_eq!(found, expected, "{log}");
    }
}
