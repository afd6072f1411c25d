//! Where the virtio structures lie: all in BAR 0, one page or more each; and the capabilities that tell a driver.

use crate::pci::{
    BarKind, ConfigError, ConfigSpace, ExpressKind, Identity, MsixLayout, add_express, add_msix,
    add_power_management, regs,
};

/// The BAR of all structures.
pub const BAR: u8 = 0;
/// Its size in bytes.
pub const BAR_BYTES: u64 = 0x8000;

/// Size of the common configuration.
pub const COMMON_BYTES: u64 = 56;
/// The interrupt status byte.
pub const ISR: u64 = 0x1000;
/// The device's own configuration.
pub const DEVICE: u64 = 0x2000;
/// Bytes of it.
pub const DEVICE_BYTES: u64 = 0x1000;
/// Doorbells.
pub const NOTIFY: u64 = 0x3000;
/// Bytes from one queue's doorbell to the next.
pub const NOTIFY_STEP: u64 = 4;
/// MSI-X table.
pub const MSIX_TABLE: u64 = 0x4000;
/// MSI-X pending bits.
pub const MSIX_PENDING: u64 = 0x6000;

/// Most queues: their doorbells fill a page, and with the configuration's vector the table has its place.
pub const MAX_QUEUES: usize = 511;

/// What an offset into the BAR belongs to, with the offset inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Region {
    Common(u64),
    Isr,
    Device(u64),
    Notify(u64),
    MsixTable(u64),
    MsixPending(u64),
    Nothing,
}

/// The region at `offset`.
pub fn region(offset: u64) -> Region {
    match offset {
        0..COMMON_BYTES => Region::Common(offset),
        ISR => Region::Isr,
        DEVICE..NOTIFY => Region::Device(offset - DEVICE),
        NOTIFY..MSIX_TABLE => Region::Notify(offset - NOTIFY),
        MSIX_TABLE..MSIX_PENDING => Region::MsixTable(offset - MSIX_TABLE),
        MSIX_PENDING..BAR_BYTES => Region::MsixPending(offset - MSIX_PENDING),
        _ => Region::Nothing,
    }
}

/// Where in configuration space what needs code lies.
#[derive(Clone, Copy, Debug)]
pub struct Capabilities {
    /// The MSI-X capability.
    pub msix: u16,
    /// The window capability (pci-cfg).
    pub window: u16,
}

/// The identity of a modern device with this virtio id.
fn identity(device_id: u16) -> Identity {
    let class = match device_id {
        1 => 0x02_0000,
        2 => 0x01_8000,
        3 => 0x07_8000,
        23 => 0x08_0600,
        _ => 0x00_ff00,
    };
    let device = 0x1040_u16.wrapping_add(device_id);
    Identity { vendor: 0x1af4, device, class, revision: 1, subsystem: (0x1af4, 0x1100) }
}

/// Builds the configuration space of a device with `queues` queues and `vectors` MSI-X vectors.
pub fn build(
    device_id: u16,
    kind: ExpressKind,
    queues: usize,
    vectors: u16,
) -> Result<(ConfigSpace, Capabilities), ConfigError> {
    let mut config = ConfigSpace::device(&identity(device_id));
    config.add_bar(BAR, BarKind::Memory64 { prefetchable: false }, BAR_BYTES)?;
    let notify_bytes = (queues.max(1) as u64 * NOTIFY_STEP) as u32;
    virtio(&mut config, 1, 0, COMMON_BYTES as u32, &[], &[])?;
    virtio(&mut config, 2, NOTIFY as u32, notify_bytes, &(NOTIFY_STEP as u32).to_le_bytes(), &[])?;
    virtio(&mut config, 3, ISR as u32, 1, &[], &[])?;
    virtio(&mut config, 4, DEVICE as u32, DEVICE_BYTES as u32, &[], &[])?;
    // The window: BAR, offset, length and data are the driver's to write.
    let mask = [0, 0, 0xff, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    let window = virtio(&mut config, 5, 0, 0, &[0; 4], &mask)?;
    let layout = MsixLayout { vectors, table: (BAR, MSIX_TABLE as u32), pending: (BAR, MSIX_PENDING as u32) };
    let msix = add_msix(&mut config, &layout)?;
    add_power_management(&mut config)?;
    add_express(&mut config, kind)?;
    Ok((config, Capabilities { msix, window }))
}

/// One virtio capability.
fn virtio(
    config: &mut ConfigSpace,
    kind: u8,
    offset: u32,
    length: u32,
    more: &[u8],
    mask: &[u8],
) -> Result<u16, ConfigError> {
    let mut body = vec![(16 + more.len()) as u8, kind, BAR, 0, 0, 0];
    body.extend(offset.to_le_bytes());
    body.extend(length.to_le_bytes());
    body.extend(more);
    config.add_capability(regs::CAP_VENDOR, &body, mask)
}
