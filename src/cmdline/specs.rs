//! What each flag with options of its own takes. The doc comments are what `--help` prints.

use std::path::PathBuf;
use std::time::Duration;

use data_model::Bdf;

pub use crate::process::ImageFormat;
use devices::virtio::iommu::PollMode;

use super::options::{OptionValue, Switch, spec, word};

/// Where a device stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IommuChoice {
    /// Behind the guest's IOMMU.
    Viommu,
    /// Beside it: reaches all guest RAM.
    Off,
}

impl OptionValue for IommuChoice {
    fn read(value: Option<&str>) -> Result<IommuChoice, String> {
        word(value, &[("viommu", IommuChoice::Viommu), ("off", IommuChoice::Off)])
    }
}

/// A PCI address in the guest, or the choice left to mixvm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuestAddress {
    /// The next free one.
    Auto,
    /// This one.
    At(Bdf),
}

impl OptionValue for GuestAddress {
    fn read(value: Option<&str>) -> Result<GuestAddress, String> {
        match value {
            Some("auto") => Ok(GuestAddress::Auto),
            Some(text) => text
                .parse()
                .map(GuestAddress::At)
                .map_err(|_| "must be BB:DD.F, hexadecimal bus, device and function, or auto".to_owned()),
            None => Err("needs a value: BB:DD.F or auto".to_owned()),
        }
    }
}

/// How message-signalled interrupts of endpoints reach the guest's interrupt controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MsiMode {
    /// Untranslated: the doorbell lies in a region that the guest is told about.
    Bypass,
    /// Translated like any other write.
    Translate,
}

impl OptionValue for MsiMode {
    fn read(value: Option<&str>) -> Result<MsiMode, String> {
        word(value, &[("bypass", MsiMode::Bypass), ("translate", MsiMode::Translate)])
    }
}

/// Longest time to look at an idle queue: past it nobody gains by it.
const MOST_POLLING: u64 = 1_000_000;

impl OptionValue for PollMode {
    fn read(value: Option<&str>) -> Result<PollMode, String> {
        match value.map(|text| (text, text.parse::<u64>())) {
            Some(("auto", _)) => Ok(PollMode::Auto),
            Some(("off", _)) => Ok(PollMode::Off),
            Some((_, Ok(micros @ 1..=MOST_POLLING))) => Ok(PollMode::Fixed(Duration::from_micros(micros))),
            _ => Err(format!("must be auto, off, or microseconds from 1 to {MOST_POLLING}")),
        }
    }
}

/// Where the serial port's output goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SerialType {
    /// To and from the terminal.
    Stdout,
    /// Into a file.
    File,
    /// Nowhere.
    None,
}

impl OptionValue for SerialType {
    fn read(value: Option<&str>) -> Result<SerialType, String> {
        word(value, &[("stdout", SerialType::Stdout), ("file", SerialType::File), ("none", SerialType::None)])
    }
}

impl OptionValue for ImageFormat {
    fn read(value: Option<&str>) -> Result<ImageFormat, String> {
        word(value, &[("raw", ImageFormat::Raw), ("qcow2", ImageFormat::Qcow2)])
    }
}

/// What kind of console it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hardware {
    /// The first serial port.
    Serial,
    /// A virtio-console.
    VirtioConsole,
}

impl OptionValue for Hardware {
    fn read(value: Option<&str>) -> Result<Hardware, String> {
        word(value, &[("serial", Hardware::Serial), ("virtio-console", Hardware::VirtioConsole)])
    }
}

/// The address of a network card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mac(pub [u8; 6]);

impl OptionValue for Mac {
    fn read(value: Option<&str>) -> Result<Mac, String> {
        let form = || "must be six bytes like 52:54:00:12:34:56".to_owned();
        // A sign in front of a number would be taken too.
        let is_byte = |byte: &str| byte.len() == 2 && byte.bytes().all(|digit| digit.is_ascii_hexdigit());
        let bytes = value.ok_or_else(form)?.split(':');
        let bytes = bytes.map(|byte| u8::from_str_radix(byte, 16).ok().filter(|_| is_byte(byte)));
        let bytes: Vec<u8> = bytes.collect::<Option<_>>().ok_or_else(form)?;
        let mac: [u8; 6] = bytes.try_into().map_err(|_| form())?;
        match mac[0] & 1 {
            0 => Ok(Mac(mac)),
            _ => Err("is an address of a group, not of one card: the first byte must be even".to_owned()),
        }
    }
}

impl OptionValue for PathBuf {
    fn read(value: Option<&str>) -> Result<PathBuf, String> {
        String::read(value).map(PathBuf::from)
    }
}

spec! {
    /// Assigns a PCI device of the host to the guest. PATH is its folder in sysfs
    /// (/sys/bus/pci/devices/0000:01:00.0) or its address alone (0000:01:00.0). May be given several times.
    #[bare("path")]
    pub struct VfioSpec {
        /// The device; the word `path=` may be left out.
        "path", "PATH" => path: String,
        /// Whether the device stands behind the guest's IOMMU (viommu), where it reaches what the guest maps, or
        /// beside it (off), where it reaches all guest RAM. Default: viommu when --virtio-iommu is given.
        "iommu", "iommu=viommu|off" => iommu: IommuChoice,
        /// PCI address in the guest. The device is 00, and so is the function, but for devices of one IOMMU group: behind the
        /// guest's IOMMU they are functions of one slot (BB:00.0, BB:00.1 ...). Default: the next free one.
        "guest-address", "guest-address=BB:DD.F" => guest_address: GuestAddress,
        /// Allows a device whose interrupts the host cannot keep apart from those of others. Such a device can raise
        /// any interrupt of the host: only for guests that are trusted.
        "unsafe-interrupts", "unsafe-interrupts=on|off" => unsafe_interrupts: Switch,
    }
}

spec! {
    /// Gives the guest an IOMMU and puts every assigned device behind it, those with iommu=off excepted.
    pub struct ViommuSpec {
        /// How interrupts of endpoints reach the guest: untranslated through a region that the guest is told about
        /// (bypass, the default), or translated (translate; aarch64, for VFIO inside guests with Linux 6.15 or later).
        "msi", "msi=bypass|translate" => msi: MsiMode,
        /// Whether endpoints reach all guest RAM until the guest's driver takes them (default off).
        "bypass-at-boot", "bypass-at-boot=on|off" => bypass_at_boot: Switch,
        /// How long the device looks for the next request before it sleeps until it is called: as long as pays (auto,
        /// the default; never when the host has one processor), not at all, or always this long.
        "poll", "poll=auto|off|MICROSECONDS" => poll: PollMode,
    }
}

spec! {
    /// Where a console goes. The first serial port is always there (default: type=stdout, or type=none when a virtio-console
    /// has the terminal); further ones are virtio-consoles, which Linux calls /dev/hvc0 and so on, in the order given.
    pub struct SerialSpec {
        /// The terminal, a file, or nowhere (the first serial port only).
        "type", "type=stdout|file|none" => kind: SerialType,
        /// The file, FIFO or terminal that the output goes to, for type=file.
        "path", "path=FILE" => path: PathBuf,
        /// The first serial port (serial, the default) or one more console.
        "hardware", "hardware=serial|virtio-console" => hardware: Hardware,
        /// Whether it has what is typed on the terminal, which one console can have. Default: the first serial port has it if
        /// it is on the terminal, else the first virtio-console that is.
        "stdin", "stdin=on|off" => stdin: Switch,
        /// A FIFO or terminal to read from what is typed; for a virtio-console.
        "input", "input=FILE" => input: PathBuf,
        /// Whether a virtio-console stands behind the guest's IOMMU (viommu) or beside it (off, the default).
        "iommu", "iommu=viommu|off" => iommu: IommuChoice,
    }
}

spec! {
    /// Gives the guest a network card (virtio-net) whose wire is a tap device of the host. May be given several times.
    pub struct NetSpec {
        /// The tap device. It is made when it is not there and mixvm may do so; it must be up to carry anything.
        "tap-name", "tap-name=NAME" => tap_name: String,
        /// The card's address. Default: one that follows from the tap's name.
        "mac", "mac=AA:BB:CC:DD:EE:FF" => mac: Mac,
        /// Pairs of queues, each with a thread of its own: 1 (default) to 16. With several the tap device must have been made
        /// with `multi_queue`, or not be there yet.
        "vq-pairs", "vq-pairs=N" => pairs: u64,
        /// Whether the card stands behind the guest's IOMMU (viommu), where it reaches what the guest maps, or beside
        /// it (off, the default), where it reaches all guest RAM.
        "iommu", "iommu=viommu|off" => iommu: IommuChoice,
    }
}

spec! {
    /// Gives the guest a disk (virtio-blk) whose content is a file of the host or a block device. May be given several times;
    /// the guest's names follow the order.
    #[bare("path")]
    pub struct BlockSpec {
        /// The file; the word `path=` may be left out.
        "path", "PATH" => path: PathBuf,
        /// How the content lies in the file: byte by byte (raw, the default), or as qcow2. It is never guessed: a guest could
        /// write what makes a raw disk look like something else.
        "format", "format=raw|qcow2" => format: ImageFormat,
        /// The guest may not write.
        "ro", "ro" => read_only: Switch,
        /// Whether the disk stands behind the guest's IOMMU (viommu), where it reaches what the guest maps, or beside it
        /// (off, the default), where it reaches all guest RAM.
        "iommu", "iommu=viommu|off" => iommu: IommuChoice,
        /// Whether the guest may give space back to the host (default on).
        "sparse", "sparse=on|off" => sparse: Switch,
        /// Bytes of a block as the guest sees it: 512 (default), 1024, 2048 or 4096.
        "block-size", "block-size=N" => block_size: u64,
        /// Serial number that the guest can read, 20 bytes at most.
        "id", "id=TEXT" => id: String,
        /// Queues, each with a thread of its own: 1 (default) to 16.
        "num-queues", "num-queues=N" => queues: u64,
    }
}

spec! {
    /// Says where the entropy device stands, which every guest has.
    pub struct RngSpec {
        /// Behind the guest's IOMMU (viommu) or beside it (off, the default).
        "iommu", "iommu=viommu|off" => iommu: IommuChoice,
    }
}

spec! {
    /// Number of virtual CPUs (default 1).
    #[bare("num-cores")]
    pub struct CpusSpec {
        /// The number; the word `num-cores=` may be left out.
        "num-cores", "N" => num_cores: u64,
    }
}

spec! {
    /// Guest RAM in MiB (default 512).
    #[bare("size")]
    pub struct MemSpec {
        /// The size in MiB; the word `size=` may be left out.
        "size", "MiB" => size: u64,
    }
}

impl VfioSpec {
    /// Reads the value of `--vfio`.
    pub fn parse(text: &str) -> Result<VfioSpec, String> {
        let spec = VfioSpec::read(text)?;
        match spec.path {
            Some(_) => Ok(spec),
            None => Err("names no device: start with its path, /sys/bus/pci/devices/0000:01:00.0".to_owned()),
        }
    }
}

impl BlockSpec {
    /// Reads the value of `--block`.
    pub fn parse(text: &str) -> Result<BlockSpec, String> {
        let spec = BlockSpec::read(text)?;
        match spec.path {
            Some(_) => Ok(spec),
            None => Err("names no file: start with its path".to_owned()),
        }
    }
}

impl NetSpec {
    /// Reads the value of `--net`.
    pub fn parse(text: &str) -> Result<NetSpec, String> {
        let spec = NetSpec::read(text)?;
        match spec.tap_name {
            Some(_) => Ok(spec),
            None => Err("names no tap device: tap-name=NAME".to_owned()),
        }
    }
}

impl RngSpec {
    /// Reads the value of `--rng`.
    pub fn parse(text: &str) -> Result<RngSpec, String> {
        RngSpec::read(text)
    }
}

impl ViommuSpec {
    /// Reads the value of `--virtio-iommu`, which may be empty.
    pub fn parse(text: &str) -> Result<ViommuSpec, String> {
        ViommuSpec::read(text)
    }
}

impl SerialSpec {
    /// Reads the value of `--serial`.
    pub fn parse(text: &str) -> Result<SerialSpec, String> {
        let spec = SerialSpec::read(text)?;
        let more = spec.input.is_some() || spec.iommu.is_some();
        let stdin = spec.stdin.is_some_and(|switch| switch.0);
        match (spec.hardware, spec.kind) {
            (Some(Hardware::VirtioConsole), Some(SerialType::None)) => {
                return Err("hardware=virtio-console needs type=stdout or type=file,path=FILE".to_owned());
            }
            (Some(Hardware::VirtioConsole), _) => {}
            _ if more => return Err("input= and iommu= go with hardware=virtio-console only".to_owned()),
            _ => {}
        }
        if stdin && spec.kind != Some(SerialType::Stdout) {
            return Err("stdin goes with type=stdout only".to_owned());
        }
        if stdin && spec.input.is_some() {
            return Err("stdin and input= both say where what is typed comes from".to_owned());
        }
        match (spec.kind, &spec.path) {
            (Some(SerialType::File), None) => Err("type=file needs path=FILE".to_owned()),
            (Some(SerialType::File), _) | (Some(_), None) => Ok(spec),
            (Some(_), Some(_)) => Err("path= goes with type=file only".to_owned()),
            (None, _) => Err("type= is missing: stdout, file or none".to_owned()),
        }
    }
}

impl CpusSpec {
    /// Reads the value of `--cpus`.
    pub fn parse(text: &str) -> Result<CpusSpec, String> {
        CpusSpec::read(text)
    }
}

impl MemSpec {
    /// Reads the value of `--mem`.
    pub fn parse(text: &str) -> Result<MemSpec, String> {
        MemSpec::read(text)
    }
}
