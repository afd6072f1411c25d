//! The facts that the rest of the lab relies on, per architecture.

use clap::ValueEnum;

use super::{Arch, Gic};

#[test]
fn users_type_the_name_that_logs_carry() {
    for arch in Arch::value_variants() {
        let typed = arch.to_possible_value().unwrap();
        assert_eq!(typed.get_name(), arch.name());
    }
}

#[test]
fn both_hosts_have_an_iommu_and_keep_a_periodic_tick() {
    for (gic, version) in [(Gic::V2, "gic-version=2"), (Gic::V3, "gic-version=3")] {
        let any = |arch: Arch, part: &str| arch.machine(gic).iter().any(|word| word.contains(part));
        assert!(any(Arch::X86_64, "intel-iommu,intremap=on"));
        assert!(any(Arch::Aarch64, "iommu=smmuv3") && any(Arch::Aarch64, version));
    }
    for arch in Arch::value_variants() {
        for word in ["nohz=off", "highres=off", "panic=-1"] {
            assert!(arch.host_cmdline().split(' ').any(|w| w == word), "{} lacks {word}", arch.name());
        }
    }
}
