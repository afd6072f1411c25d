//! Heights of bands: one scale for all, but none too thin to be seen, and none so long that the others vanish.
//!
//! A band beyond [`Limits::longest`] is cut: its drawing says so. The scale is the one at which the whole has the height that was
//! asked for.

/// Bounds of one band's height.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// No band is thinner.
    pub thinnest: f64,
    /// No band is longer; those that would be are cut.
    pub longest: f64,
    /// The smallest band is not longer than this: where there are few bands, a finer scale would only cut more of them.
    pub smallest: f64,
}

/// The heights, and what they mean.
#[derive(Clone, Debug, PartialEq)]
pub struct Heights {
    /// One for each band: the height, and whether it is cut.
    pub bands: Vec<(f64, bool)>,
    /// Bytes for each unit of height, where nothing is cut or widened.
    pub scale: f64,
}

/// Heights that add up to about `total`, or less when the limits do not allow it.
pub fn heights(sizes: &[u128], total: f64, limits: Limits) -> Heights {
    let sum = |scale: f64| -> f64 { sizes.iter().map(|size| height(*size, scale, limits).0).sum() };
    // More bytes a unit mean less height, so the scale is found by halving; 2^-20 to 2^64 bytes a unit.
    let least = sizes.iter().min().map_or(1.0, |size| *size as f64 / limits.smallest);
    let (mut fine, mut coarse) = (least.log2().max(-20.0), 64.0f64);
    for _ in 0..60 {
        let middle = (fine + coarse) / 2.0;
        if sum(middle.exp2()) > total { fine = middle } else { coarse = middle }
    }
    let scale = if sum(least) <= total { least } else { coarse.exp2() };
    Heights { bands: sizes.iter().map(|size| height(*size, scale, limits)).collect(), scale }
}

fn height(size: u128, scale: f64, limits: Limits) -> (f64, bool) {
    let true_height = size as f64 / scale;
    (true_height.clamp(limits.thinnest, limits.longest), true_height > limits.longest)
}

#[cfg(test)]
mod tests;
