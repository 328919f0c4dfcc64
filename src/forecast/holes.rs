//! Which bins of a day are not to be believed. This file never says why.

/// A set of a day's bins, of which the longest day has 100.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holes(u128);

impl Holes {
    pub const NONE: Holes = Holes(0);
    /// Nothing of the day can be believed.
    pub const ALL: Holes = Holes(u128::MAX);

    pub fn with(self, bin: usize) -> Holes {
        Holes(self.0 | 1_u128.checked_shl(u32::try_from(bin).unwrap_or(u32::MAX)).unwrap_or(0))
    }

    pub fn and(self, other: Holes) -> Holes {
        Holes(self.0 | other.0)
    }

    pub fn contains(self, bin: usize) -> bool {
        self.0 & Holes::NONE.with(bin).0 != 0
    }

    /// How many of the first so many bins are holes.
    pub fn among(self, bins: usize) -> usize {
        let beyond = u128::MAX.checked_shl(u32::try_from(bins).unwrap_or(u32::MAX)).unwrap_or(0);
        (self.0 & !beyond).count_ones() as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bin_beyond_the_longest_day_is_no_hole_and_breaks_nothing() {
        let holes = Holes::NONE.with(3).with(500);
        assert_eq!((holes.contains(3), holes.contains(500), holes.among(96)), (true, false, 1));
        assert_eq!((Holes::ALL.among(96), holes.and(Holes::NONE), Holes::ALL.contains(99)), (96, holes, true));
    }
}
