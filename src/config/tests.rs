use clap::Parser;

use jail::{Denials, Pieces};

use super::*;
use crate::cmdline::{Cli, Command};

fn config(flags: &str, arch: Arch) -> Result<Config, String> {
    let words = ["mixvm", "run"].into_iter().chain(flags.split_whitespace()).chain(["kernel"]);
    let Command::Run(args) = Cli::try_parse_from(words).unwrap().command else { panic!("not run") };
    Config::from_args(&args, arch).map_err(|refusals| {
        assert!(!refusals.is_empty());
        refusals.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    })
}

fn good(flags: &str) -> Config {
    config(&format!("--disable-sandbox {flags}"), Arch::Aarch64).unwrap()
}

#[test]
fn defaults_are_a_small_machine() {
    let config = good("");
    assert_eq!((config.cpus, config.assignment.memory), (1, 512 << 20));
    assert_eq!((config.serial, config.assignment.viommu), (Serial::Stdout { typed: true }, None));
}

#[test]
fn words_of_the_command_line_are_joined() {
    assert_eq!(good("-p console=ttyS0 -p quiet").params, "console=ttyS0 quiet");
}

#[test]
fn devices_stand_where_the_flags_say() {
    let both = "--vfio 0000:01:00.0";
    for (flags, viommu, behind) in [
        ("", false, false),
        ("--virtio-iommu", true, true),
        (",iommu=viommu", true, true),
        (",iommu=off", false, false),
        (",iommu=off --virtio-iommu", true, false),
        (",iommu=off --vfio 0000:02:00.0,iommu=viommu", true, false),
        (" --vfio 0000:02:00.0,iommu=viommu", true, true),
    ] {
        let flags = if flags.starts_with(',') { format!("{both}{flags}") } else { format!("{both} {flags}") };
        let assignment = good(&flags).assignment;
        assert_eq!(
            (assignment.viommu.is_some(), assignment.vfio[0].behind_viommu),
            (viommu, behind),
            "{flags}"
        );
    }
}

#[test]
fn emulated_devices_stand_beside_the_viommu_unless_told_otherwise() {
    for (flags, viommu, behind) in [
        ("--block a", false, &[false, false][..]),
        ("--virtio-iommu --block a", true, &[false, false]),
        ("--block a,iommu=viommu --block b", true, &[false, true, false]),
        ("--rng iommu=viommu", true, &[true]),
        ("--rng iommu=off", false, &[false]),
    ] {
        let assignment = good(flags).assignment;
        let found: Vec<bool> = assignment.emulated.iter().map(|device| device.behind_viommu).collect();
        assert_eq!((assignment.viommu.is_some(), found.as_slice()), (viommu, behind), "{flags}");
    }
}

#[test]
fn options_of_a_disk_reach_the_config() {
    let disk = |flags: &str| match good(flags).assignment.emulated.remove(1).kind {
        Emulated::Disk(disk) => (disk.path, disk.options),
        other => panic!("{flags}: {other:?}"),
    };
    let (path, options) = disk("--block path=a/b,ro,sparse=off,block-size=4096,id=x,num-queues=16");
    assert_eq!(path, PathBuf::from("a/b"));
    assert_eq!((options.read_only, options.discard, options.block_size), (true, false, 4096));
    assert_eq!((options.queues, options.serial.as_str()), (16, "x"));
    let (_, options) = disk("--block a");
    assert_eq!(
        (options.read_only, options.discard, options.block_size, options.queues),
        (false, true, 512, 1)
    );
}

#[test]
fn viommu_options_reach_the_config() {
    let viommu = good("--virtio-iommu=msi=translate,bypass-at-boot=on,poll=off").assignment.viommu.unwrap();
    assert_eq!(viommu, ViommuConfig { msi: MsiMode::Translate, bypass_at_boot: true, poll: PollMode::Off });
    let viommu = good("--virtio-iommu").assignment.viommu.unwrap();
    assert_eq!(viommu, ViommuConfig { msi: MsiMode::Bypass, bypass_at_boot: false, poll: PollMode::Auto });
}

#[test]
fn contradictions_and_limits_are_refused_with_their_reason() {
    let many = "--vfio 0000:01:00.0 ".repeat(29);
    let disks = "--vfio 0000:01:00.0 ".repeat(28) + "--block a --block b";
    for (flags, arch, words) in [
        ("--cpus 0", Arch::X86_64, "--cpus cannot be 0: a machine needs at least one CPU. Give 1 to 255."),
        ("--cpus 256", Arch::X86_64, "--cpus cannot be 256: interrupts are addressed by 8 bits"),
        ("--mem 63", Arch::X86_64, "--mem cannot be 63 MiB"),
        ("--mem 0", Arch::X86_64, "--mem cannot be 0 MiB"),
        ("--mem 18446744073709551615", Arch::X86_64, "above 16 TiB"),
        (
            "--virtio-iommu=msi=translate",
            Arch::X86_64,
            "cannot have msi=translate on x86_64: interrupts there go to",
        ),
        ("--serial type=none --serial type=stdout", Arch::X86_64, "--serial is given twice for the first"),
        ("--irqchip its", Arch::X86_64, "--irqchip does not apply: an x86_64 guest has local APICs"),
        ("--vfio a,guest-address=00:05.0", Arch::X86_64, "cannot have guest-address=00:05.0"),
        ("--vfio a,guest-address=1d:00.0", Arch::X86_64, "Give BB:00.0 with a bus from 01 to 1c."),
        ("--vfio a,guest-address=05:01.0", Arch::X86_64, "whose bus has device 00 alone"),
        (
            "--vfio a,guest-address=05:00.0 --vfio b,guest-address=05:00.0",
            Arch::X86_64,
            "guest-address=05:00.0 twice",
        ),
        (&many, Arch::X86_64, "--vfio is given 29 times"),
        (&disks, Arch::X86_64, "ask for 2 devices: they share 29 places"),
        ("--block a,block-size=8192", Arch::X86_64, "--block cannot have block-size=8192"),
        ("--block a,num-queues=0", Arch::X86_64, "--block cannot have num-queues=0"),
        ("--block a,id=123456789012345678901", Arch::X86_64, "given 20 bytes"),
    ] {
        let error = config(&format!("--disable-sandbox {flags}"), arch).unwrap_err();
        assert!(error.contains(words), "{flags}: {error}");
        assert_eq!(error.lines().count(), 1, "{flags}: {error}");
    }
}

#[test]
fn edges_of_the_limits_are_allowed() {
    let most = (0..28).map(|n| format!("--vfio 0000:{n:02x}:00.0 ")).collect::<String>();
    for flags in
        ["--cpus 255", "--irqchip v2m", "--mem 64", "--mem 16777216", "--vfio a,guest-address=1c:00.0", &most]
    {
        good(flags);
    }
}

#[test]
fn devices_are_jailed_unless_told_otherwise() {
    let jail = |flags: &str| config(flags, Arch::X86_64).unwrap().sandbox;
    assert_eq!(jail("--disable-sandbox"), None);
    let usual = jail("").unwrap();
    assert_eq!((usual.without, usual.denials), (Pieces::NONE, Denials::Kill));
    let loose = jail("--jail-without landlock,user --seccomp-log-failures").unwrap();
    assert_eq!((loose.without.iter().count(), loose.denials), (2, Denials::Report));
}

#[test]
fn check_puts_devices_behind_a_viommu() {
    let read = |words: &str| {
        let Command::Check(args) = Cli::try_parse_from(words.split(' ')).unwrap().command else {
            panic!("not check")
        };
        Assignment::from_check(&args, Arch::X86_64).unwrap()
    };
    assert!(read("mixvm check --vfio 0000:01:00.0").vfio[0].behind_viommu);
    assert!(!read("mixvm check --vfio 0000:01:00.0,iommu=off").vfio[0].behind_viommu);
    assert_eq!(read("mixvm check --vfio 0000:01:00.0 -m 64").memory, 64 << 20);
    for flags in ["", " --disable-sandbox"] {
        assert_eq!(read(&format!("mixvm check --vfio 0000:01:00.0{flags}")).jailed, flags.is_empty());
        assert_eq!(config(flags, Arch::X86_64).unwrap().assignment.jailed, flags.is_empty());
    }
}
