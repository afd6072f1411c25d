use clap::Parser;

use super::*;
use crate::cmdline::{Cli, Command};
use crate::config::consoles::{self, ConsoleInput, ConsoleOutput};

fn devices(flags: &str) -> Vec<EmulatedConfig> {
    let words = ["mixvm", "run"].into_iter().chain(flags.split_whitespace()).chain(["kernel"]);
    let Command::Run(args) = Cli::try_parse_from(words).unwrap().command else { panic!("not run") };
    let mut refusals = Vec::new();
    let (_, consoles) = consoles::read(&args.serial, &mut refusals);
    let found = read(&args, consoles, &mut refusals);
    assert!(refusals.is_empty(), "{refusals:?}");
    found
}

#[test]
fn devices_come_in_the_order_of_their_kinds() {
    let found = devices(
        "--serial type=file,path=out,hardware=virtio-console,input=in --net tap-name=tap0,iommu=viommu --block a \
         --net tap-name=tap1,mac=52:54:00:12:34:56,vq-pairs=4 --serial type=none",
    );
    let net = |tap: &str, mac, pairs| Emulated::Net(NetConfig { tap: tap.into(), mac, pairs });
    assert_eq!(found.len(), 5);
    assert_eq!(found[0].kind, Emulated::Rng);
    assert!(matches!(found[1].kind, Emulated::Disk(_)));
    assert_eq!((&found[2].kind, found[2].behind_viommu), (&net("tap0", address_of("tap0"), 1), true));
    let given = net("tap1", [0x52, 0x54, 0, 0x12, 0x34, 0x56], 4);
    assert_eq!((&found[3].kind, found[3].behind_viommu), (&given, false));
    let console =
        ConsoleConfig { output: ConsoleOutput::File("out".into()), input: ConsoleInput::File("in".into()) };
    assert_eq!(found[4].kind, Emulated::Console(console));
}

#[test]
fn address_follows_from_the_taps_name_and_is_ones_own() {
    assert_eq!(address_of("tap0"), address_of("tap0"));
    assert_ne!(address_of("tap0"), address_of("tap1"));
    assert_eq!(address_of("tap0")[0] & 3, 2, "of one card, and not of a maker's");
}
