//! What a state is worth: diversity, the self-evolution objective, the Lyapunov function.

/// Cycles averaged on each side of the comparison, and cycles over which rises are counted.
const LYAPUNOV_MEAN_CYCLES: usize = 10;
const LYAPUNOV_CYCLES: usize = 200;
/// By how much the mean must rise, and what it must reach, to count.
const LYAPUNOV_RISE: f64 = 0.01;
const LYAPUNOV_FLOOR: f64 = 0.10;
/// Share of cycles in which V may rise.
const LYAPUNOV_SHARE: f64 = 0.05;

/// Capability diversity: Shannon entropy of the masses over its largest value, in [0, 1]; 0 with fewer than two domains
/// or without mass. Masses are at least 0.
pub fn diversity(masses: impl Iterator<Item = f64> + Clone) -> f64 {
    let (count, total) = masses.clone().fold((0_u32, 0.0), |(n, sum), mass| (n + 1, sum + mass));
    if count < 2 || total <= 0.0 {
        return 0.0;
    }
    let entropy: f64 = masses
        .map(|mass| mass / total)
        .filter(|p| *p > 0.0)
        .map(|p| -p * p.ln())
        .sum();
    (entropy / f64::from(count).ln()).clamp(0.0, 1.0)
}

/// What SEOF is made of.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct SeofTerms {
    /// dP/dt per 100 cycles; cut off at -1 and 1.
    pub performance_trend: f64,
    /// dC_L4/dt per 100 cycles; cut off at -1 and 1.
    pub complexity_trend: f64,
    /// CDI, in [0, 1].
    pub diversity: f64,
    /// IIS, in [0, 1].
    pub integrity: f64,
    /// R_osc, in [0, 1].
    pub oscillation: f64,
}

/// Weights of dP/dt, 1 - dC_L4/dt, CDI and IIS in SEOF, and of R_osc, which is subtracted (L4.5).
pub const SEOF_WEIGHTS: [f64; 5] = [0.25, 0.25, 0.20, 0.20, 0.10];

/// The self-evolution objective: 0.25 dP/dt + 0.25 (1 - dC_L4/dt) + 0.20 CDI + 0.20 IIS - 0.10 R_osc, in [-1, 1].
pub fn seof(terms: &SeofTerms) -> f64 {
    seof_by(&SEOF_WEIGHTS, terms)
}

/// The same by other weights, in the order of [`SEOF_WEIGHTS`].
pub fn seof_by(weights: &[f64; 5], terms: &SeofTerms) -> f64 {
    let growth = weights[0] * terms.performance_trend.clamp(-1.0, 1.0);
    let stability = weights[1] * (1.0 - terms.complexity_trend.clamp(-1.0, 1.0));
    let good = growth + stability + weights[2] * terms.diversity + weights[3] * terms.integrity;
    (good - weights[4] * terms.oscillation).clamp(-1.0, 1.0)
}

/// V(X) = 0.357 (1 - S)² + 0.286 U² + 0.214 (1 - I)² + 0.143 (E - 1)² (MSCP Level 4.8, Definition 11).
pub fn lyapunov(x: &[f64; 5]) -> f64 {
    let [s, _, i, u, e] = x;
    0.357 * (1.0 - s).powi(2) + 0.286 * u.powi(2) + 0.214 * (1.0 - i).powi(2) + 0.143 * (e - 1.0).powi(2)
}

/// Counts the cycles in which V rises: the mean of its last 10 cycles exceeds that of the 10 before by more than 0.01
/// and is above 0.10, in more than 5 % of the last 200 cycles.
#[derive(Debug, Clone)]
pub(super) struct LyapunovCount {
    values: [f64; 2 * LYAPUNOV_MEAN_CYCLES],
    rises: [bool; LYAPUNOV_CYCLES],
    risen: usize,
    cycles: usize,
}

impl Default for LyapunovCount {
    fn default() -> Self {
        Self {
            values: [0.0; 2 * LYAPUNOV_MEAN_CYCLES],
            rises: [false; LYAPUNOV_CYCLES],
            risen: 0,
            cycles: 0,
        }
    }
}

impl LyapunovCount {
    /// Takes in V of a cycle; whether too many cycles have risen.
    pub(super) fn exceeded_by(&mut self, v: f64) -> bool {
        let (slot, half) = (self.cycles % (2 * LYAPUNOV_MEAN_CYCLES), LYAPUNOV_MEAN_CYCLES);
        self.values[slot] = v;
        self.cycles += 1;
        let mean = |age: usize| {
            let from = self.cycles + 2 * half - age;
            (0..half).map(|i| self.values[(from + i) % (2 * half)]).sum::<f64>() / half as f64
        };
        let rise = self.cycles >= 2 * half && {
            let (last, before) = (mean(half), mean(2 * half));
            last - before > LYAPUNOV_RISE && last > LYAPUNOV_FLOOR
        };
        let forgotten = std::mem::replace(&mut self.rises[(self.cycles - 1) % LYAPUNOV_CYCLES], rise);
        self.risen = self.risen + usize::from(rise) - usize::from(forgotten);
        self.risen as f64 > LYAPUNOV_SHARE * LYAPUNOV_CYCLES as f64
    }
}
