//! The facts that the rest of the lab relies on, per architecture.

use clap::ValueEnum;

use super::Arch;

#[test]
fn users_type_the_name_that_logs_carry() {
    for arch in Arch::value_variants() {
        let typed = arch.to_possible_value().unwrap();
        assert_eq!(typed.get_name(), arch.name());
    }
}

#[test]
fn both_hosts_have_an_iommu_and_keep_a_periodic_tick() {
    assert!(Arch::X86_64.machine().iter().any(|word| word.starts_with("intel-iommu,intremap=on")));
    assert!(Arch::Aarch64.machine().iter().any(|word| word.contains("iommu=smmuv3")));
    for arch in Arch::value_variants() {
        for word in ["nohz=off", "highres=off", "panic=-1"] {
            assert!(arch.host_cmdline().split(' ').any(|w| w == word), "{} lacks {word}", arch.name());
        }
    }
}
