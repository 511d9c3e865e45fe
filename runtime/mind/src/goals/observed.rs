//! What the conditions of goals look at.

use crate::l45::purpose::{Finding, MAX_FINDINGS};
use crate::report::FloorReport;
use rungs_types::goal::Quantity;

/// What is observed and measured at a cycle.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Observed<'a> {
    /// The last value of each dimension, NaN where it has not been seen for long enough to count as unseen.
    pub dimensions: &'a [f64],
    /// Posterior variance of each dimension over its long-run variance.
    pub variance: &'a [f64],
    /// What L4.5 measures; `None` before its first report.
    pub floor: Option<FloorSight>,
    /// What the world model of L4.8 measures; `None` while it does not speak.
    pub world: Option<WorldSight>,
}

/// What L4.5 measures.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct FloorSight {
    /// SEOF.
    pub seof: f64,
    /// Identity integrity; `None` while warming up.
    pub iis: Option<f64>,
    /// C_L4.
    pub c_l4: f64,
    /// U.
    pub uncertainty: f64,
    /// What is wrong with goals.
    pub findings: [Option<Finding>; MAX_FINDINGS],
    /// The agent may give itself goals: the guard and what else freezes growth permit it.
    pub growth: bool,
}

impl From<&FloorReport> for FloorSight {
    fn from(floor: &FloorReport) -> Self {
        Self {
            seof: floor.seof,
            iis: floor.iis,
            c_l4: floor.c_l4,
            uncertainty: floor.uncertainty,
            findings: floor.purpose.findings,
            growth: floor.permits_growth(),
        }
    }
}

/// What the world model measures.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct WorldSight {
    /// Environmental uncertainty.
    pub eu: f64,
    /// Risk exposure.
    pub res: f64,
    /// Runway, in cycles.
    pub rdf: f64,
}

impl Observed<'_> {
    /// The value of a quantity; `None` if it is missing.
    pub fn measure(&self, of: Quantity) -> Option<f64> {
        let at = |row: &[f64], dimension: u16| row.get(usize::from(dimension)).copied();
        let value = match of {
            Quantity::Dimension(dimension) => at(self.dimensions, dimension),
            Quantity::Variance(dimension) => at(self.variance, dimension),
            Quantity::Eu => self.world.map(|world| world.eu),
            Quantity::Res => self.world.map(|world| world.res),
            Quantity::Rdf => self.world.map(|world| world.rdf),
            Quantity::Seof => self.floor.map(|floor| floor.seof),
            Quantity::Iis => self.floor.and_then(|floor| floor.iis),
            Quantity::CL4 => self.floor.map(|floor| floor.c_l4),
            Quantity::Uncertainty => self.floor.map(|floor| floor.uncertainty),
        };
        value.filter(|value| !value.is_nan())
    }
}
