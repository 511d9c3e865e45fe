//! What L4.5's report permits beyond structural change.

use super::FloorReport;
use crate::l45::Stage;
use crate::l45::level::is_calm;

impl FloorReport {
    /// The existential guard's stage.
    pub fn stage(&self) -> Stage {
        Stage::from_byte(self.guard_stage)
    }

    /// The agent may give itself goals, change its values and acquire skills: what permits structural change, but for a
    /// warning of the guard, which freezes that alone; not at the guard's critical stage (L4.5).
    pub fn permits_growth(&self) -> bool {
        let stage = self.stage();
        let warned = !stage.permits_structure() && self.cycle > 0 && is_calm(self);
        self.ethics_intact && stage.permits_growth() && (self.structural_permitted || warned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(stage: Stage) -> FloorReport {
        FloorReport {
            cycle: 10,
            ethics_intact: true,
            guard_stage: stage.as_byte(),
            structural_permitted: stage.permits_structure(),
            ..FloorReport::default()
        }
    }

    #[test]
    fn a_warning_leaves_growth_open_and_the_critical_stage_does_not() {
        let each = [Stage::Normal, Stage::Elevated, Stage::Warning, Stage::Critical];
        assert_eq!(each.map(|stage| at(stage).permits_growth()), [true, true, true, false]);
        assert!(!FloorReport::default().permits_growth(), "nothing was read");
    }

    #[test]
    fn what_forbids_structural_change_beside_the_guard_forbids_growth_as_well() {
        let plants: [fn(&mut FloorReport); 4] = [
            |floor| floor.tier = 3,
            |floor| floor.uncertainty = 0.8,
            |floor| floor.c_l4 = 0.8,
            |floor| floor.ethics_intact = false,
        ];
        for (index, plant) in plants.into_iter().enumerate() {
            let mut floor = at(Stage::Warning);
            plant(&mut floor);
            assert!(!floor.permits_growth(), "{index}");
        }
        let frozen = FloorReport {
            structural_permitted: false,
            ..at(Stage::Normal)
        };
        assert!(!frozen.permits_growth(), "frozen by something else");
    }
}
