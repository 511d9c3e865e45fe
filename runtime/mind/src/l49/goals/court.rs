//! What candidates are judged by: the five criteria, the sandbox, and what an opportunity is worth. All of it by Lookaheads
//! in the worlds of one scene.

use super::book::GoalEntry;
use super::detect::OPPORTUNITY_CYCLES;
use super::generate::Generating;
use super::matrix::{
    Criteria, Criterion, Grade, SANDBOX_CYCLES, SCOPE_FACTOR, SPECTRAL_MARGINAL, STABILITY_CYCLES, Verdict,
};
use super::synthesize::Idea;
use crate::budget::{Budget, BudgetExceeded};
use crate::l48::plan::feasibility;
use crate::l48::scenario;
use crate::l49::ahead::{Prospective, Scene, WhatIf, cosine, scaled, served};
use crate::l49::resources::Survival;
use crate::lookahead::{LookaheadError, LookaheadReport};
use rungs_types::goal::GoalSpec;

/// Most that SEOF may lose in the sandbox of a goal: what a mutation of the values may cost.
const MAX_SEOF_LOSS: f64 = 0.03;
/// Kept off the denominator of resource viability (section 9.2).
const EPSILON: f64 = 1e-9;
/// Between two looks at an opportunity, in cycles.
const OPPORTUNITY_STEP: u32 = 50;
/// The derivatives in SEOF are taken over so many cycles.
const SEOF_UNIT_CYCLES: f64 = 100.0;
/// The most that SEOF can be at rest, and what more with two or more domains (L4.5).
const SEOF_AT_REST: f64 = 0.45;
const SEOF_OF_DIVERSITY: f64 = 0.20;

/// What candidates are judged by.
pub(super) struct Court<'a> {
    pub(super) input: &'a Generating<'a>,
    pub(super) scene: &'a Scene,
    pub(super) survival: &'a Survival,
    pub(super) budget: &'a dyn Budget,
    /// Without any new goal.
    pub(super) alone: WhatIf,
}

impl Court<'_> {
    /// What the Optimistic scenario yields over the opportunity: SEOF in it less SEOF as things are, added up in the unit
    /// of time that its derivatives have (100 cycles), as a share of the most that SEOF can be at rest. At one cycle alone
    /// it would say little: half of SEOF are derivatives, which come and go.
    pub(super) fn gain(&self) -> Result<Option<f64>, BudgetExceeded> {
        let scenarios = &self.input.below.level48.world.scenarios;
        let Some(kind) = scenarios
            .iter()
            .find(|scenario| scenario.kind == scenario::Kind::Optimistic)
        else {
            return Ok(None);
        };
        let optimistic = WhatIf {
            scenario: (kind.spread, kind.consumption),
            ..self.alone.clone()
        };
        gain_over(|cycles| {
            let now = self.look(&self.alone, cycles)?;
            Ok(now.zip(self.look(&optimistic, cycles)?))
        })
    }

    /// `None` if it could not be looked ahead.
    fn look(&self, change: &WhatIf, cycles: u32) -> Result<Option<LookaheadReport>, BudgetExceeded> {
        match self.scene.look(change, &self.input.below.source(), cycles, self.budget) {
            Ok(report) => Ok(Some(report)),
            Err(LookaheadError::Budget(over)) => Err(over),
            Err(_) => Ok(None),
        }
    }

    fn with_goal(&self, spec: &GoalSpec, criteria: &Criteria) -> WhatIf {
        WhatIf {
            added: vec![Prospective::candidate(spec, criteria.feasibility, criteria.purpose)],
            ..self.alone.clone()
        }
    }

    /// Validates; where only the scope is too large, once more with less of it.
    pub(super) fn validate_scoped(&self, idea: Idea) -> Result<(Idea, Criteria, bool), BudgetExceeded> {
        let criteria = self.validate(&idea)?;
        if !criteria.wants_less() {
            return Ok((idea, criteria, false));
        }
        let idea = idea.reduced(SCOPE_FACTOR);
        let criteria = self.validate(&idea)?;
        Ok((idea, criteria, true))
    }

    fn validate(&self, idea: &Idea) -> Result<Criteria, BudgetExceeded> {
        let measured = self.measure(&idea.spec, &idea.intent, idea.duration_cycles());
        let report = self.look(&self.with_goal(&idea.spec, &measured), STABILITY_CYCLES)?;
        Ok(Criteria {
            rho: report.map_or(f64::NAN, |report| report.max_rho),
            violated: report.is_none_or(|report| !report.broken.is_empty()),
            ..measured
        })
    }

    /// The first four criteria.
    fn measure(&self, spec: &GoalSpec, intent: &[f64; 7], duration_cycles: f64) -> Criteria {
        let below = self.input.below;
        let runway = below.level48.world.rdf.min(self.survival.min_survival);
        Criteria {
            purpose: cosine(intent, &scaled(&below.purpose)),
            value: self.input.in_force.values.alignment(intent, spec.budget.share),
            feasibility: feasibility(spec, &below.skills()),
            resource: runway / (duration_cycles + EPSILON),
            rho: 0.0,
            violated: false,
        }
    }

    /// The verdict of the sandbox: 200 cycles with the goal break nothing, are not marginal and cost no more than 0.03 of
    /// SEOF against the same worlds without it, and no criterion fails by now; with the criteria as they are by now.
    pub(super) fn sandbox(&self, entry: &GoalEntry) -> Result<(Verdict, Criteria), BudgetExceeded> {
        let intent = served(&entry.spec, &self.input.below.purpose);
        let idea = Idea {
            spec: GoalSpec::clone(&entry.spec),
            intent,
        };
        let measured = self.measure(&idea.spec, &intent, idea.duration_cycles());
        if let Some(failed) = measured.with(Grade::Fail).next() {
            return Ok((Verdict::Rejected(failed), measured));
        }
        let without = self.look(&self.alone, SANDBOX_CYCLES)?;
        let with = self.look(&self.with_goal(&entry.spec, &measured), SANDBOX_CYCLES)?;
        let sound = without
            .zip(with.as_ref())
            .is_some_and(|(without, with)| is_sound(&without, with));
        let criteria = Criteria {
            rho: with.as_ref().map_or(f64::NAN, |with| with.max_rho),
            violated: with.is_none_or(|with| !with.broken.is_empty()),
            ..measured
        };
        let marginal = criteria.with(Grade::Marginal).count() as u8;
        let verdict = match (sound, marginal) {
            (false, _) => Verdict::Rejected(Criterion::Stability),
            (true, 0) => Verdict::Approved,
            (true, marginal) => Verdict::Tried { marginal },
        };
        Ok((verdict, criteria))
    }
}

/// What is gained over an opportunity: `look` gives the agent after so many cycles as things are, and as they would be.
fn gain_over<E>(
    mut look: impl FnMut(u32) -> Result<Option<(LookaheadReport, LookaheadReport)>, E>,
) -> Result<Option<f64>, E> {
    let (mut sum, mut at_rest) = (0.0, SEOF_AT_REST);
    for cycles in (OPPORTUNITY_STEP..=OPPORTUNITY_CYCLES).step_by(OPPORTUNITY_STEP as usize) {
        let Some((now, then)) = look(cycles)? else {
            return Ok(None);
        };
        if now.final_cdi > 0.0 {
            at_rest = SEOF_AT_REST + SEOF_OF_DIVERSITY;
        }
        sum += (then.seof_last - now.seof_last) * f64::from(OPPORTUNITY_STEP) / SEOF_UNIT_CYCLES;
    }
    Ok(Some(sum / at_rest))
}

/// The agent with a goal bears comparison with the agent without it.
fn is_sound(without: &LookaheadReport, with: &LookaheadReport) -> bool {
    with.broken.is_empty() && with.max_rho < SPECTRAL_MARGINAL && without.seof_last - with.seof_last <= MAX_SEOF_LOSS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Unlimited;
    use crate::l49::fixtures::{World, user_goal};
    use crate::l49::resources::project;
    use crate::l49::ruling::InForce;
    use crate::lookahead::{Broken, Dynamics, MAX_RESOURCES};
    use rungs_types::SkillName;
    use rungs_types::goal::ValueDimension;

    fn report(seof_last: f64) -> LookaheadReport {
        LookaheadReport {
            cycles: 200,
            seof_first: 0.40,
            seof_last,
            max_c_l4: 0.1,
            min_iis: 0.95,
            max_uncertainty: 0.1,
            max_rho: 0.9,
            final_cdi: 0.0,
            goal_completion: None,
            spent: [0.0; MAX_RESOURCES],
            broken: Broken::default(),
            cascade_depth: 0,
        }
    }

    #[test]
    fn a_gain_adds_up_four_looks_in_units_of_a_hundred_cycles_as_a_share_of_seof_at_rest() {
        // 0.1, 0.2, 0.3 and 0.4 for fifty cycles each: 0.5.
        for (final_cdi, at_rest) in [(0.0, 0.45), (0.3, 0.65)] {
            let mut asked = Vec::new();
            let found = gain_over(|cycles| {
                asked.push(cycles);
                let now = LookaheadReport {
                    final_cdi,
                    ..report(0.2)
                };
                Ok::<_, BudgetExceeded>(Some((now, report(0.2 + 0.1 * asked.len() as f64))))
            });
            assert_eq!(asked, [50, 100, 150, 200]);
            let found = found.unwrap().expect("looked ahead");
            assert!((found - 0.5 / at_rest).abs() < 1e-12, "{found}");
        }
        assert_eq!(gain_over(|_| Ok::<_, BudgetExceeded>(None)), Ok(None));
    }

    #[test]
    fn a_goal_in_the_sandbox_may_cost_0_03_of_seof_and_come_no_nearer_to_the_margin_than_0_95() {
        let sound = |seof_last, max_rho| {
            let with = LookaheadReport {
                max_rho,
                ..report(seof_last)
            };
            is_sound(&report(0.40), &with)
        };
        assert!(sound(0.3702, 0.9) && !sound(0.3698, 0.9));
        assert!(sound(0.40, 0.949) && !sound(0.40, 0.95));
    }

    #[test]
    fn a_skill_that_nothing_is_known_of_is_as_feasible_as_not() {
        let below = World::new().next();
        let gauges = Default::default();
        let in_force = InForce::default();
        let input = Generating {
            below: &below,
            looks: &[],
            in_force: &in_force,
            ruling: None,
            pass: 1,
        };
        let court = Court {
            input: &input,
            scene: &Scene::new(&below, &gauges, Dynamics::default(), [1, 2, 3, 4]),
            survival: &project(&gauges),
            budget: &Unlimited,
            alone: WhatIf::nothing(in_force.values),
        };
        let mut spec = user_goal("g", ValueDimension::Growth, &[]);
        spec.skills = vec![SkillName::new("juggling").unwrap()];
        let intent = served(&spec, &below.purpose);
        assert_eq!(court.measure(&spec, &intent, 100.0).feasibility, 0.5);
    }
}
