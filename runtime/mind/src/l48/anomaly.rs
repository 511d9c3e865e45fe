//! placeholder
use super::observe::Score;
/// How strange.
#[derive(Debug, Clone, Default)]
pub struct Anomaly {
    low: f64,
    high: f64,
    any: bool,
}
impl Anomaly {
    /// One observation.
    pub fn step(&mut self, score: &Score) -> f64 {
        let y = score.observed;
        if !self.any {
            self.any = true;
            self.low = y;
            self.high = y;
            return 0.0;
        }
        let r = self.high - self.low;
        let s = if r > 0.0 {
            (y - self.high).max(self.low - y).max(0.0) / r
        } else {
            0.0
        };
        self.low = self.low.min(y);
        self.high = self.high.max(y);
        s
    }
}
