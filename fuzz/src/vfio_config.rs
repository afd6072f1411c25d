//! The configuration space and BARs of an assigned device, intact or damaged.

use arbitrary::{Result, Unstructured};
use devices::vfio_pci::testing::subject::{Access, play};

/// Plays the accesses that `data` describes.
pub fn vfio_config(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let Ok((e1000e, damage)) = device(&mut input) else { return };
    let mut accesses = Vec::new();
    while !input.is_empty() && accesses.len() < 64 {
        let Ok(access) = access(&mut input) else { break };
        accesses.push(access);
    }
    play(e1000e, &damage, &accesses);
}

fn device(input: &mut Unstructured) -> Result<(bool, Vec<(u8, u8)>)> {
    let kind: u8 = input.arbitrary()?;
    let count = if kind & 2 != 0 { 0 } else { kind >> 2 & 15 };
    let damage = (0..count).map(|_| input.arbitrary()).collect::<Result<_>>()?;
    Ok((kind & 1 != 0, damage))
}

fn access(input: &mut Unstructured) -> Result<Access> {
    let kind: u8 = input.arbitrary()?;
    let word = match kind >> 6 {
        0 => input.arbitrary::<u8>()?.into(),
        1 => u64::MAX,
        2 => 0x8000_0007,
        _ => input.arbitrary()?,
    };
    let place: u8 = input.arbitrary()?;
    Ok(match kind & 7 {
        0..4 => {
            let (add, len) =
                [(0u16, 4usize), (0, 2), (2, 2), (0, 1), (1, 1), (3, 1)][usize::from(kind >> 3 & 7) % 6];
            let page = if place & 0xe0 == 0xe0 { u16::from(input.arbitrary::<u8>()? & 0xf) << 8 } else { 0 };
            Access::Config((page | u16::from(place) & !3) + add, word as u32, len)
        }
        4..7 => {
            let at = u64::from(place) + (u64::from(kind >> 3 & 7) << 11);
            Access::Bar(kind & 3, at, word, 1 << (place & 3))
        }
        _ if place & 1 != 0 => Access::Reset,
        _ => Access::Config(4, word as u32 & 0x407, 2),
    })
}
