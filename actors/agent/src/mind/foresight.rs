//! Level 4.5: votes and projection.

use rungs_mind::l45::frames::{Ballot, Decision, Frame, Resolution};
use rungs_mind::l45::projection::{Posture, SelfProjection};
use rungs_mind::report::{self, FloorReport};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is kept of a report of Level 4.5 for people.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Foresight {
    cycle: u64,
    posture: Posture,
    projection: SelfProjection,
    votes: report::Votes,
}

impl From<&FloorReport> for Foresight {
    fn from(floor: &FloorReport) -> Self {
        Self {
            cycle: floor.cycle,
            posture: floor.posture,
            projection: floor.projection,
            votes: floor.votes,
        }
    }
}

/// How the frames voted last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Votes {
    /// The last cycle it covers.
    pub cycle: u64,
    /// The course that the frames are for.
    pub posture: String,
    /// The five frames.
    pub frames: Vec<FrameRow>,
    /// The last ballot on each matter that was voted on.
    pub ballots: Vec<BallotRow>,
}

/// One frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FrameRow {
    /// Which.
    pub frame: String,
    /// What its vote is worth; the five sum to 1.
    pub weight: f64,
    /// Its vote on each ballot, in their order, in [-1, 1].
    pub votes: Vec<f64>,
}

/// One ballot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BallotRow {
    /// On what.
    pub on: String,
    /// Frames for it.
    pub yes: u32,
    /// Frames that had to be for it, of five.
    pub needed: u32,
    /// The ethical frame forbids it.
    pub vetoed: bool,
    /// Weighted variance of the votes.
    pub variance: f64,
    /// What that asks for.
    pub resolution: String,
    /// It was agreed to.
    pub passed: bool,
}

/// Where the agent is going, on three courses and at three horizons.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Projection {
    /// The course that the frames are for.
    pub posture: String,
    /// What the agent forecasts is worth too little: nothing is projected.
    pub frozen: bool,
    /// The aggressive course is open.
    pub aggressive_open: bool,
    /// Courses by horizons, those that were projected.
    pub courses: Vec<CourseRow>,
}

/// One course at one horizon.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CourseRow {
    /// The course.
    pub course: String,
    /// Cycles ahead.
    pub horizon_cycles: u32,
    /// The cycle at which it was projected.
    pub at_cycle: u64,
    /// How much it is to be trusted, in (0, 1].
    pub confidence: f64,
    /// What it is worth.
    pub score: f64,
    /// SEOF at the end less SEOF at the start.
    pub seof_trend: f64,
    /// The largest C_L4 on the way.
    pub max_c_l4: f64,
    /// The least identity integrity on the way.
    pub min_iis: f64,
    /// Capability diversity at the end.
    pub final_cdi: f64,
    /// C_L4 exceeds 0.8 within the nearest horizon of the course: the farther ones are not projected.
    pub alarm: bool,
}

impl From<&Foresight> for Votes {
    fn from(from: &Foresight) -> Self {
        let report::Votes {
            posture: [aggressive, conservative],
            structural,
            weights,
        } = &from.votes;
        let matters = [
            ("aggressive course", aggressive),
            ("conservative course", conservative),
            ("recomposition", structural),
        ];
        let held: Vec<(&str, &Ballot)> = matters
            .into_iter()
            .filter_map(|(on, ballot)| Some((on, ballot.as_ref()?)))
            .collect();
        let frames = Frame::ALL.map(|frame| FrameRow {
            frame: frame_name(frame).to_owned(),
            weight: weights[frame.index()],
            votes: held.iter().map(|(_, ballot)| ballot.votes[frame.index()]).collect(),
        });
        Self {
            cycle: from.cycle,
            posture: posture_name(from.posture).to_owned(),
            frames: frames.into(),
            ballots: held.into_iter().map(|(on, ballot)| row(on, ballot)).collect(),
        }
    }
}

fn row(on: &str, ballot: &Ballot) -> BallotRow {
    let needed = match ballot.on {
        Decision::Structural => Decision::Structural.needed(),
        Decision::Archetype => Decision::Archetype.needed(),
    };
    BallotRow {
        on: on.to_owned(),
        yes: ballot.yes,
        needed,
        vetoed: ballot.vetoed,
        variance: ballot.variance,
        resolution: match ballot.resolution {
            Resolution::Proceed => "the vote counts",
            Resolution::SimulateMore => "simulate more first",
            Resolution::Deliberate => "decide later",
            Resolution::Escalate => "reflect on purpose first",
        }
        .to_owned(),
        passed: ballot.passed,
    }
}

impl From<&Foresight> for Projection {
    fn from(from: &Foresight) -> Self {
        let paths = Posture::ALL
            .into_iter()
            .map(|posture| (posture, &from.projection.paths[posture.index()]));
        let courses = paths.flat_map(|(posture, path)| {
            path.horizons.iter().flatten().map(move |outlook| CourseRow {
                course: posture_name(posture).to_owned(),
                horizon_cycles: outlook.cycles,
                at_cycle: outlook.at_cycle,
                confidence: outlook.confidence,
                score: outlook.score,
                seof_trend: outlook.seof_trend,
                max_c_l4: outlook.max_c_l4,
                min_iis: outlook.min_iis,
                final_cdi: outlook.final_cdi,
                alarm: path.tactical_alarm,
            })
        });
        Self {
            posture: posture_name(from.posture).to_owned(),
            frozen: from.projection.frozen,
            aggressive_open: from.projection.aggressive_open,
            courses: courses.collect(),
        }
    }
}

fn frame_name(frame: Frame) -> &'static str {
    match frame {
        Frame::Exploratory => "exploratory",
        Frame::Conservative => "conservative",
        Frame::Ethical => "ethical",
        Frame::LongHorizon => "long horizon",
        Frame::Adversarial => "adversarial",
    }
}

fn posture_name(posture: Posture) -> &'static str {
    match posture {
        Posture::Current => "current",
        Posture::Aggressive => "aggressive",
        Posture::Conservative => "conservative",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_has_a_vote_for_each_ballot_that_was_held() {
        let ballot = Ballot {
            on: Decision::Structural,
            votes: [1.0, -1.0, 0.5, 0.25, 0.0],
            yes: 3,
            vetoed: false,
            variance: 0.4,
            resolution: Resolution::Deliberate,
            passed: false,
        };
        let floor = FloorReport {
            cycle: 40,
            votes: report::Votes {
                structural: Some(ballot),
                weights: [0.2; 5],
                ..report::Votes::default()
            },
            ..FloorReport::default()
        };
        let votes = Votes::from(&Foresight::from(&floor));
        assert_eq!((votes.cycle, votes.frames.len(), votes.ballots.len()), (40, 5, 1));
        assert_eq!(votes.frames[3].frame, "long horizon");
        assert_eq!(votes.frames[3].votes, [0.25]);
        let held = &votes.ballots[0];
        assert_eq!((&*held.on, held.yes, held.needed), ("recomposition", 3, 4));
        assert_eq!(held.resolution, "decide later");
        let projection = Projection::from(&Foresight::from(&floor));
        assert_eq!((&*projection.posture, projection.courses.len()), ("current", 0));
    }
}
