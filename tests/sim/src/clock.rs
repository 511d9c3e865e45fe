//! A node's steady clock: it begins anywhere, and runs a little too fast or too slow. Beyond the bound it also stands still
//! at times.

use rungs_directory::membership::Time;

/// Parts per million by which a clock within the bound may be off: two of them drift apart by 480 ms in 6 s.
pub const WITHIN_PPM: i64 = 40_000;
/// The same beyond the bound.
pub const BEYOND_PPM: i64 = 330_000;

/// See the module.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// What it shows at the start of the simulation.
    pub offset_ms: u64,
    /// How much too fast it runs.
    pub drift_ppm: i64,
    /// How long it stood still so far.
    pub lost_ms: u64,
}

impl Clock {
    /// What it shows.
    pub fn read(&self, now_ms: u64) -> Time {
        let gained = now_ms as i64 * self.drift_ppm / 1_000_000;
        Time((self.offset_ms as i64 + now_ms as i64 + gained - self.lost_ms as i64) as u64)
    }
}
