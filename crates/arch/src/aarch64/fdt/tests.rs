use std::collections::BTreeSet;

use data_model::Bdf;

use super::super::{Gic, MsiFrame, default_mpidr, irqs};
use super::*;
use crate::BarRoom;

mod reader;
pub use reader::{Node, read};

const GIB: u64 = 1 << 30;
const PCIE: &str = "pcie@30000000";
const GIC: &str = "interrupt-controller@3fff0000";

fn tree_of(gic: Gic, cpus: u32, viommu: Option<&ViommuShape>) -> Node {
    let layout = Layout::new(3 * GIB, cpus, 40, gic, &BarRoom::default()).unwrap();
    let mpidrs: Vec<u64> = (0..cpus).map(default_mpidr).collect();
    let initrd = Span::from_len(0x9000_0000, 0x1234);
    let shape = FdtShape {
        layout: &layout,
        mpidrs: &mpidrs,
        viommu,
        cmdline: "console=ttyS0 root=/dev/vda",
        initrd,
        seeds: Some(Seeds { kaslr: 0x0123_4567_89ab_cdef, rng: [7; 64] }),
    };
    read(&device_tree(&shape).unwrap())
}

fn tree() -> Node {
    tree_of(Gic::V3_ITS, 2, None)
}

#[test]
fn the_kernel_is_told_its_command_line_disk_console_and_memory() {
    let tree = tree();
    let chosen = tree.at("chosen");
    assert_eq!(chosen.texts("bootargs"), ["console=ttyS0 root=/dev/vda"]);
    assert_eq!(chosen.longs("linux,initrd-start"), [0x9000_0000]);
    assert_eq!(chosen.longs("linux,initrd-end"), [0x9000_1234]);
    assert_eq!(chosen.longs("kaslr-seed"), [0x0123_4567_89ab_cdef]);
    assert_eq!(chosen.longs("rng-seed"), [0x0707_0707_0707_0707; 8]);
    assert_eq!(chosen.texts("stdout-path"), ["/serial@1000000"]);
    let serial = tree.at("serial@1000000");
    assert_eq!(serial.texts("compatible"), ["ns16550a"]);
    assert_eq!(serial.longs("reg"), [0x0100_0000, 0x1000]);
    assert_eq!(serial.cells("interrupts"), [0, irqs::UART_SPI, 1]);
    assert_eq!(serial.cells("clock-frequency"), [1_843_200]);
    assert_eq!(tree.at("memory@80000000").longs("reg"), [0x8000_0000, 3 * GIB]);
}

#[test]
fn the_clock_of_the_day_has_the_bus_clock_that_its_driver_asks_for() {
    let tree = tree();
    let clock = tree.at("rtc@1010000");
    assert_eq!(clock.texts("compatible"), ["arm,pl031", "arm,primecell"]);
    assert_eq!(clock.longs("reg"), [0x0101_0000, 0x1000]);
    assert_eq!(clock.texts("clock-names"), ["apb_pclk"]);
    let bus = tree.at("apb-pclk");
    assert_eq!((bus.texts("compatible"), bus.cells("#clock-cells")), (vec!["fixed-clock".into()], vec![0]));
    assert_eq!(clock.cells("clocks"), bus.cells("phandle"));
}

#[test]
fn each_processor_is_named_by_its_affinity_and_woken_by_psci() {
    let tree = tree_of(Gic::V3_ITS, 18, None);
    let cpus = tree.at("cpus");
    assert_eq!((cpus.cells("#address-cells"), cpus.children.len()), (vec![2], 18));
    let last = cpus.at("cpu@101");
    assert_eq!(last.cells("reg"), [0, 0x101]);
    assert_eq!(last.texts("enable-method"), ["psci"]);
    let psci = tree.at("psci");
    assert_eq!(psci.texts("compatible"), ["arm,psci-1.0", "arm,psci-0.2"]);
    assert_eq!(psci.texts("method"), ["hvc"]);
}

#[test]
fn flags_of_an_mpidr_stay_out_of_the_affinity() {
    let layout = Layout::new(GIB, 1, 40, Gic::V3_ITS, &BarRoom::default()).unwrap();
    let mpidrs = [0x12_8000_0003];
    let shape =
        FdtShape { layout: &layout, mpidrs: &mpidrs, viommu: None, cmdline: "", initrd: None, seeds: None };
    let tree = read(&device_tree(&shape).unwrap());
    assert_eq!(tree.at("cpus/cpu@1200000003").cells("reg"), [0x12, 3]);
    for absent in ["linux,initrd-start", "kaslr-seed", "rng-seed"] {
        assert!(!tree.at("chosen").has(absent), "{absent}");
    }
}

#[test]
fn timers_have_their_private_interrupts() {
    let v2 = Gic::V2 { msi: MsiFrame::V2M_DEFAULT };
    for (gic, flags) in [(Gic::V3_ITS, 4), (v2, 0x304)] {
        let want: Vec<u32> = [13, 14, 11, 10].into_iter().flat_map(|ppi| [1, ppi, flags]).collect();
        assert_eq!(tree_of(gic, 2, None).at("timer").cells("interrupts"), want);
    }
}

#[test]
fn the_controller_and_its_msi_frame_match_the_layout() {
    let v3_v2m = Gic::V3 { msi: MsiFrame::V2M_DEFAULT };
    let v2 = Gic::V2 { msi: MsiFrame::V2M_DEFAULT };
    let moved = Gic::V3 { msi: MsiFrame::Its { base: 0x4000_0000 } };
    let v3 = ("arm,gic-v3", 0x3ffb_0000);
    let cases = [
        (Gic::V3_ITS, v3, 0x4_0000, "msi-controller@8080000", "arm,gic-v3-its", [0x0808_0000, 0x2_0000]),
        (moved, v3, 0x4_0000, "msi-controller@40000000", "arm,gic-v3-its", [0x4000_0000, 0x2_0000]),
        (v3_v2m, v3, 0x4_0000, "v2m@8020000", "arm,gic-v2m-frame", [0x0802_0000, 0x1000]),
        (
            v2,
            ("arm,cortex-a15-gic", 0x3ffd_0000),
            0x2_0000,
            "v2m@8020000",
            "arm,gic-v2m-frame",
            [0x0802_0000, 0x1000],
        ),
    ];
    for (gic, (compatible, per_cpu), per_cpu_len, child, child_compatible, frame) in cases {
        let tree = tree_of(gic, 2, None);
        let controller = tree.at(GIC);
        assert_eq!(controller.texts("compatible"), [compatible]);
        assert_eq!(controller.longs("reg"), [0x3fff_0000, 0x1_0000, per_cpu, per_cpu_len]);
        assert_eq!(tree.cells("interrupt-parent"), controller.cells("phandle"));
        let msi = controller.at(child);
        assert_eq!(msi.texts("compatible"), [child_compatible]);
        assert_eq!(msi.longs("reg"), frame);
        assert!(msi.has("msi-controller"));
        assert_eq!(tree.at(PCIE).cells("msi-map"), [0, msi.cells("phandle")[0], 0, 0x1_0000]);
        if child_compatible == "arm,gic-v3-its" {
            assert_eq!(msi.cells("#msi-cells"), [1]);
        } else {
            assert_eq!(
                (msi.cells("arm,msi-base-spi"), msi.cells("arm,msi-num-spis")),
                (vec![128], vec![128])
            );
        }
    }
}

#[test]
fn no_two_users_share_an_interrupt_and_the_controller_has_them_all() {
    let lines = (0..32).flat_map(|device| (0..4).map(move |pin| irqs::pci_intx_spi(device, pin)));
    let lines: BTreeSet<u32> = lines.collect();
    let messages = irqs::V2M_SPI..irqs::V2M_SPI + irqs::V2M_SPI_COUNT;
    let all: Vec<u32> = [irqs::UART_SPI].into_iter().chain(lines.iter().copied()).chain(messages).collect();
    let different: BTreeSet<u32> = all.iter().copied().collect();
    assert_eq!((lines.len(), different.len()), (8, all.len()));
    assert!(all.iter().all(|spi| irqs::SPI_BASE + spi < irqs::GIC_IRQS));
    assert_eq!(irqs::GIC_IRQS % 32, 0);
}

#[test]
fn the_host_bridge_has_its_buses_and_windows() {
    let tree = tree();
    let pcie = tree.at(PCIE);
    assert_eq!(pcie.texts("compatible"), ["pci-host-ecam-generic"]);
    assert_eq!(pcie.longs("reg"), [0x3000_0000, 128 << 20]);
    assert_eq!(pcie.cells("bus-range"), [0, 127]);
    assert!(pcie.has("dma-coherent"));
    assert_eq!(
        pcie.cells("ranges"),
        [
            [0x0200_0000, 0, 0x1000_0000, 0, 0x1000_0000, 0, 0x2000_0000],
            [0x0300_0000, 1, 0x4000_0000, 1, 0x4000_0000, 0x10, 0],
        ]
        .concat()
    );
}

#[test]
fn every_pin_of_every_device_reaches_its_line_through_the_mask() {
    let tree = tree();
    let pcie = tree.at(PCIE);
    let gic = tree.at(GIC);
    let (mask, map) = (pcie.cells("interrupt-map-mask"), pcie.cells("interrupt-map"));
    // Child address 3, pin 1, phandle 1, parent address as the parent says, interrupt 3.
    let width =
        3 + 1 + 1 + gic.cells("#address-cells")[0] as usize + gic.cells("#interrupt-cells")[0] as usize;
    assert_eq!(map.len(), 32 * width);
    for device in 0..32u8 {
        for pin in 0..4u8 {
            let wish = [u32::from(device) << 11 & mask[0], 0, 0, (u32::from(pin) + 1) & mask[3]];
            let entry = map.chunks(width).find(|entry| entry[..4] == wish).unwrap();
            assert_eq!(entry[4], gic.cells("phandle")[0]);
            assert_eq!(entry[width - 3..], [0, irqs::pci_intx_spi(device, pin), 4]);
        }
    }
}

#[test]
fn the_viommu_is_on_the_bus_and_only_endpoints_are_behind_it() {
    let iommu = Bdf::new(0, 1, 0).unwrap();
    let endpoints = vec![Bdf::new(1, 0, 0).unwrap(), Bdf::new(0, 3, 1).unwrap()];
    let tree = tree_of(Gic::V3_ITS, 1, Some(&ViommuShape { iommu, endpoints }));
    let pcie = tree.at(PCIE);
    let node = pcie.at("iommu@1,0");
    assert_eq!(node.texts("compatible"), ["virtio,pci-iommu", "pci1af4,1057"]);
    assert_eq!(node.cells("reg"), [0x0800, 0, 0, 0, 0]);
    assert_eq!(node.cells("#iommu-cells"), [1]);
    let phandle = node.cells("phandle")[0];
    assert_eq!(pcie.cells("iommu-map"), [0x19, phandle, 0x19, 1, 0x100, phandle, 0x100, 1]);
}

#[test]
fn a_viommu_with_nothing_behind_it_maps_nothing() {
    let viommu = ViommuShape { iommu: Bdf::from_id(8), endpoints: Vec::new() };
    let tree = tree_of(Gic::V3_ITS, 1, Some(&viommu));
    assert!(tree.at(PCIE).find("iommu@1,0").is_some());
    assert!(!tree.at(PCIE).has("iommu-map"));
}

#[test]
fn without_a_viommu_nothing_is_translated() {
    let tree = tree();
    assert!(!tree.at(PCIE).has("iommu-map"));
    assert!(tree.at(PCIE).children.is_empty());
}

#[test]
fn what_cannot_be_described_is_refused() {
    let layout = Layout::new(GIB, 1, 40, Gic::V3_ITS, &BarRoom::default()).unwrap();
    let iommu = Bdf::from_id(8);
    let viommu = ViommuShape { iommu, endpoints: vec![iommu] };
    let shape = FdtShape {
        layout: &layout,
        mpidrs: &[0],
        viommu: Some(&viommu),
        cmdline: "",
        initrd: None,
        seeds: None,
    };
    assert_eq!(device_tree(&shape).unwrap_err(), FdtError::Topology(TopologyError::BehindItself(iommu)));
    let long = "x".repeat(MOST);
    let shape = FdtShape { viommu: None, cmdline: &long, ..shape };
    assert!(matches!(device_tree(&shape).unwrap_err(), FdtError::TooBig(len) if len > MOST));
}
