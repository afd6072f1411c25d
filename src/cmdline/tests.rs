use std::time::Duration;

use clap::CommandFactory;
use devices::virtio::iommu::PollMode;

use super::options::Switch;
use super::specs::*;
use super::*;

fn run(flags: &str) -> Result<RunArgs, String> {
    let words = ["mixvm", "run"].into_iter().chain(flags.split_whitespace()).chain(["kernel"]);
    match Cli::try_parse_from(words).map_err(|error| error.to_string())?.command {
        Command::Run(args) => Ok(*args),
        other => panic!("{other:?}"),
    }
}

fn vfio(text: &str) -> VfioSpec {
    VfioSpec::parse(text).unwrap()
}

#[test]
fn definition_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn both_spellings_mean_the_same() {
    for (ours, crosvm) in [
        ("-c 2 -m 1024", "--cpus num-cores=2 --mem size=1024"),
        ("--vfio 0000:01:00.0,iommu=viommu", "--vfio path=0000:01:00.0,iommu=viommu,guest-address=auto"),
    ] {
        let (ours, mut crosvm) = (run(ours).unwrap(), run(crosvm).unwrap());
        for spec in &mut crosvm.vfio {
            assert_eq!(spec.guest_address.take(), Some(GuestAddress::Auto));
        }
        assert_eq!((ours.cpus, ours.mem, ours.vfio), (crosvm.cpus, crosvm.mem, crosvm.vfio));
    }
}

#[test]
fn flags_of_a_whole_run_are_read() {
    let args = run(
        "-c 2 -m 768 -i rd -p console=ttyS0 -p -v --serial type=file,path=log --virtio-iommu=msi=translate \
                    --vfio /sys/bus/pci/devices/0000:01:00.0,guest-address=05:00.0,unsafe-interrupts=on \
                    --vfio 0000:02:00.0,iommu=off -s sock --irqchip v2m --disable-sandbox",
    )
    .unwrap();
    assert_eq!(args.cpus.unwrap().num_cores, Some(2));
    assert_eq!(args.mem.unwrap().size, Some(768));
    assert_eq!(args.initrd, Some("rd".into()));
    assert_eq!(args.params, ["console=ttyS0", "-v"]);
    let log = SerialSpec { kind: Some(SerialType::File), path: Some("log".into()), ..SerialSpec::default() };
    assert_eq!(args.serial, [log]);
    assert_eq!(
        args.virtio_iommu,
        Some(ViommuSpec { msi: Some(MsiMode::Translate), bypass_at_boot: None, poll: None })
    );
    let first = VfioSpec {
        path: Some("/sys/bus/pci/devices/0000:01:00.0".into()),
        iommu: None,
        guest_address: Some(GuestAddress::At("05:00.0".parse().unwrap())),
        unsafe_interrupts: Some(Switch(true)),
    };
    assert_eq!(args.vfio, [first, vfio("0000:02:00.0,iommu=off")]);
    assert_eq!((args.socket, args.irqchip), (Some("sock".into()), Some(IrqchipArg::V2m)));
    assert_eq!((args.disable_sandbox, args.kernel), (true, "kernel".into()));
}

#[test]
fn viommu_flag_may_stand_alone() {
    assert_eq!(run("--virtio-iommu").unwrap().virtio_iommu, Some(ViommuSpec::default()));
    assert_eq!(run("").unwrap().virtio_iommu, None);
    let both = run("--virtio-iommu=msi=bypass,bypass-at-boot").unwrap().virtio_iommu.unwrap();
    assert_eq!(
        both,
        ViommuSpec { msi: Some(MsiMode::Bypass), bypass_at_boot: Some(Switch(true)), poll: None }
    );
}

#[test]
fn polling_is_a_word_or_a_time() {
    for (text, mode) in [
        ("auto", PollMode::Auto),
        ("off", PollMode::Off),
        ("1", PollMode::Fixed(Duration::from_micros(1))),
        ("1000000", PollMode::Fixed(Duration::from_secs(1))),
    ] {
        let spec = run(&format!("--virtio-iommu=poll={text}")).unwrap().virtio_iommu.unwrap();
        assert_eq!(spec.poll, Some(mode), "{text}");
    }
}

#[test]
fn wrong_flags_get_a_helpful_answer() {
    for (flags, words) in [
        ("--virtio-iommu=poll=0", "must be auto, off, or microseconds from 1 to 1000000"),
        ("--virtio-iommu=poll=1000001", "must be auto, off, or microseconds"),
        ("--virtio-iommu=poll", "must be auto, off, or microseconds"),
        ("--virtio-iomu", "'--virtio-iommu'"),
        ("--vfi 0000:01:00.0", "'--vfio"),
        ("--vfio 0000:01:00.0,iomu=off", "did you mean `iommu`?"),
        ("--vfio 0000:01:00.0,iommu=yes", "iommu=yes: must be viommu or off"),
        ("--vfio 0000:01:00.0,iommu", "iommu: needs a value: viommu or off"),
        ("--vfio 0000:01:00.0,guest-address=5", "must be BB:DD.F"),
        ("--vfio 0000:01:00.0,unsafe-interrupt=on", "did you mean `unsafe-interrupts`?"),
        ("--vfio iommu=viommu", "names no device"),
        ("--virtio-iommu=mis=bypass", "did you mean `msi`?"),
        ("--virtio-iommu=msi=none", "must be bypass or translate"),
        ("--serial type=pty", "must be stdout or file or none"),
        ("--serial type=file", "type=file needs path=FILE"),
        ("--serial type=none,path=x", "path= goes with type=file only"),
        ("--serial path=x", "type= is missing"),
        ("--serial type=none,hardware=virtio-console", "needs type=stdout or type=file,path=FILE"),
        ("--serial type=file,path=x,stdin", "stdin goes with type=stdout only"),
        ("--serial type=stdout,hardware=virtio-console,stdin,input=y", "both say where"),
        ("--serial type=file,path=x,input=y", "go with hardware=virtio-console only"),
        ("--net mac=52:54:00:12:34:56", "names no tap device"),
        ("--net tap-name=t,mac=52:54:00:12:34", "six bytes"),
        ("--net tap-name=t,mac=52:54:00:12:34:+6", "six bytes"),
        ("--net tap-name=t,mac=53:54:00:12:34:56", "first byte must be even"),
        ("--cpus num-core=2", "did you mean `num-cores`?"),
        ("--cpus many", "must be a whole number"),
        ("--mem size=-1", "must be a whole number"),
        ("--irqchip gic", "its"),
    ] {
        let error = run(flags).unwrap_err();
        assert!(error.contains(words), "{flags}: {error}");
    }
}

#[test]
fn other_subcommands_are_read() {
    let read = |words: &str| Cli::try_parse_from(words.split(' ')).map(|cli| cli.command);
    assert!(matches!(read("mixvm stop s"), Ok(Command::Stop(args)) if args.socket.ends_with("s")));
    assert!(matches!(
        read("mixvm viommu show s --json"),
        Ok(Command::Viommu(ViommuCommand::Show(args))) if args.json && args.socket.ends_with("s")
    ));
    assert!(matches!(
        read("mixvm check --vfio 0000:01:00.0 --json -m 64"),
        Ok(Command::Check(args)) if args.json && args.vfio == [vfio("0000:01:00.0")]
    ));
    let error = read("mixvm check").unwrap_err().to_string();
    assert!(error.contains("--vfio"), "{error}");
    let error = read("mixvm chek").unwrap_err().to_string();
    assert!(error.contains("'check'"), "{error}");
}

#[test]
fn help_of_a_flag_tells_its_keys() {
    let help = Cli::command().find_subcommand_mut("run").unwrap().render_long_help().to_string();
    for words in ["guest-address=BB:DD.F", "unsafe-interrupts=on|off", "bypass-at-boot=on|off", "path=FILE"] {
        assert!(help.contains(words), "{words}: {help}");
    }
}
