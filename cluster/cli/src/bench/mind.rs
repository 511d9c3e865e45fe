//! `rungs bench --mind`: what the mind computes, held against references that are not its own: exact solutions, constants
//! of reference libraries, and second algorithms in this folder. Nothing here is timed; the same build prints the same.

mod algebra;
mod bimodal;
mod calibration;
mod filtered;
mod forecasts;
mod incidents;
mod information;

use super::report::{Figure, Target};
use crate::args::Bench;

/// All of it; with a folder of recordings, also on these.
pub fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let mut figures = filtered::measure();
    figures.extend(bimodal::measure());
    figures.extend(algebra::measure()?);
    figures.extend(information::measure()?);
    figures.extend(calibration::measure());
    figures.extend(forecasts::generated()?);
    if let Some(dir) = &bench.dir {
        figures.extend(forecasts::recorded(dir, bench.labels.as_deref())?);
    }
    Ok(figures)
}

/// A value without a baseline.
fn alone(id: &'static str, what: &'static str, value: f64, unit: &'static str, target: Target) -> Figure {
    Figure {
        id,
        what,
        value,
        unit,
        baseline: "",
        baseline_value: None,
        target,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unmet(figures: &[Figure]) -> Vec<&'static str> {
        figures
            .iter()
            .filter(|figure| figure.met() == Some(false))
            .map(|figure| figure.what)
            .collect()
    }

    #[test]
    fn every_reference_is_met_and_a_second_run_gives_the_same_figures() {
        let bench = Bench {
            kills: 1,
            agents: 1,
            parts: Vec::new(),
            mind: true,
            dir: None,
            labels: None,
            json: false,
            runs: 1,
        };
        let figures = measure(&bench).expect("it runs");
        assert!(figures.len() >= 20, "{figures:?}");
        assert_eq!(unmet(&figures), Vec::<&str>::new());
        assert_eq!(measure(&bench).expect("it runs"), figures);
    }
}
