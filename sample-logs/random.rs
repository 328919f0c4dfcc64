//! Random numbers that are the same on every machine. This file never asks the system for any.

/// splitmix64, Steele et al. 2014, <https://doi.org/10.1145/2714064.2660195>: small, and the same everywhere.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Uniform below `bound`, but for a bias of less than `bound` in 2^64.
    pub fn below(&mut self, bound: u64) -> u64 {
        // The high half of the product is below `bound`, so it fits.
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    pub fn below_i64(&mut self, bound: u32) -> i64 {
        i64::try_from(self.below(u64::from(bound))).expect("below 2^32")
    }
}
