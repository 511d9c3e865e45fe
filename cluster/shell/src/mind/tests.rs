use super::*;
use rungs_agent::mind::{
    BallotRow, FrameRow, PeerRow, ResourceRow, RollbackRow, ScenarioRow, ValueRow, VetoRow, Vetoes,
};
use std::collections::BTreeMap;

fn plain(mind: &Mind, which: MindView) -> String {
    view(mind, which, Style::default())
}

#[test]
fn what_no_level_came_to_yet_says_which_level() {
    let mind = Mind::default();
    let expected = "L4.9 has made no pass on this node yet; `agent` says what it waits for\n";
    assert_eq!(plain(&mind, MindView::Values), expected);
    let text = overview(&mind, Style::default());
    assert_eq!(text.lines().count(), 12, "{text}");
    assert!(
        text.lines().skip(1).all(|line| line.ends_with("-  no pass yet")),
        "{text}"
    );
}

#[test]
fn strategies_stand_with_their_figures_and_the_chosen_one_is_marked() {
    let row = |strategy: &str, selected, score, reserve| StrategyRow {
        strategy: strategy.into(),
        settings: BTreeMap::from([("reserve_share".into(), reserve), ("risk_cap".into(), 0.6)]),
        selected,
        score,
        ev: 0.5,
        ra: 0.9,
        si: 0.0,
        var: -0.02,
        cvar: -0.031,
        goal_progress: 0.25,
        resource_cost: 0.1,
    };
    let mind = Mind {
        strategies: Some(Strategies {
            cycle: 400,
            chosen: "learned".into(),
            before: "conservative".into(),
            candidates: vec![row("learned", true, 0.765, 0.125), row("balanced", false, 0.6, 0.2)],
            robustness: Some(0.8),
            trajectories: 4,
        }),
        ..Mind::default()
    };
    let expected = "\
cycle 400: learned in force, new in this pass
strategy  score     EV     RA     SI      VaR     CVaR  goals done  resource used          against balanced
learned   0.765  0.500  0.900  0.000  -0.0200  -0.0310        25 %           10 %  chosen  reserve share 0.125
balanced  0.600  0.500  0.900  0.000  -0.0200  -0.0310        25 %           10 %
within 10 % of the best in 80 % of the scenarios; trajectories of each candidate in each: 4
";
    assert_eq!(plain(&mind, MindView::Strategies), expected);
}

#[test]
fn scenarios_show_their_probability_as_number_and_bar() {
    let mind = Mind {
        scenarios: Some(Scenarios {
            cycle: 400,
            scenarios: vec![ScenarioRow {
                scenario: "baseline".into(),
                probability: 0.5,
                spread: 1.0,
                consumption: 1.5,
            }],
            eu: Some(0.1),
            res: None,
            rdf: Some(812.4),
        }),
        ..Mind::default()
    };
    let expected = "\
scenario  probability  spread  consumption
baseline        0.500   x 1.0        x 1.5  ##########
EU 0.100 (target < 0.15), RES - (< 0.40), runway 812 cycles
";
    assert_eq!(plain(&mind, MindView::Scenarios), expected);
}

#[test]
fn frames_stand_with_weight_and_vote() {
    let mind = Mind {
        votes: Some(Votes {
            cycle: 400,
            posture: "current".into(),
            frames: vec![FrameRow {
                frame: "long horizon".into(),
                weight: 0.2,
                votes: vec![0.25, -1.0],
            }],
            ballots: vec![
                BallotRow {
                    on: "aggressive course".into(),
                    yes: 2,
                    needed: 3,
                    vetoed: false,
                    variance: 0.41,
                    resolution: "decide later".into(),
                    passed: false,
                },
                BallotRow {
                    on: "recomposition".into(),
                    yes: 4,
                    needed: 4,
                    vetoed: true,
                    variance: 0.05,
                    resolution: "the vote counts".into(),
                    passed: false,
                },
            ],
        }),
        ..Mind::default()
    };
    let expected = "\
cycle 400: the frames are for the current course
frame         weight  aggressive course  recomposition
long horizon   0.200              +0.25          -1.00
aggressive course: not agreed, 2 for it of 3 needed, variance 0.410: decide later
recomposition: vetoed by the ethical frame, 4 for it of 4 needed, variance 0.050: the vote counts
";
    assert_eq!(plain(&mind, MindView::Votes), expected);
}

#[test]
fn values_stand_against_the_baseline() {
    let mind = Mind {
        values: Some(Values {
            cycle: 400,
            dimensions: vec![ValueRow {
                dimension: "purpose_fidelity".into(),
                weight: 0.25,
                baseline: 0.2,
                drift: 0.05,
                velocity: 0.0002,
                sustained: false,
            }],
            total_drift: 0.1,
            band: "moderate".into(),
            coherence: 0.97,
            literal_coherence: 1.0,
            pending: 1,
            applied: 2,
            rolled_back: 0,
        }),
        ..Mind::default()
    };
    let expected = "\
value             weight  baseline  drift  per 100 cycles
purpose fidelity   0.250     0.200  0.050          +0.020  ##########
total drift 0.100: moderate (mutations stop at 0.25)
coherence 0.970 (target >= 0.80)
mutations: 1 in the sandbox, 2 applied, 0 taken back
";
    assert_eq!(plain(&mind, MindView::Values), expected);
}

#[test]
fn resources_stand_with_their_horizons_and_the_bottleneck_is_marked() {
    let row = |resource: &str, baseline: Option<f64>, counts| ResourceRow {
        resource: resource.into(),
        baseline,
        adverse: baseline.map(|left| left / 1.3),
        optimistic: baseline.map(|_| 10_000.0),
        crisis: baseline.map(|left| left / 2.0),
        counts,
    };
    let mind = Mind {
        resources: Some(Resources {
            cycle: 400,
            mode: "constrained".into(),
            binding: true,
            state: "adequate".into(),
            bottleneck: Some("compute".into()),
            min_survival_cycles: 260.0,
            worst_case_cycles: 130.0,
            adaptations: 1,
            forecast_error: None,
            surprises: 0,
            resources: vec![
                row("compute", Some(260.0), true),
                row("memory", None, true),
                row("mutation", Some(500.0), false),
            ],
        }),
        ..Mind::default()
    };
    let expected = "\
mode constrained (binding); the state now is adequate
cycles left of    baseline     adverse  optimistic      crisis
compute         260 cycles  200 cycles      no end  130 cycles  runs out first
memory                   -           -           -           -  not measured
mutation        500 cycles  385 cycles      no end  250 cycles  does not count for survival
restrictions so far 1, exhaustions not foreseen 0, forecast error -
";
    assert_eq!(plain(&mind, MindView::Resources), expected);
}

#[test]
fn other_agents_stand_with_their_trust() {
    let mut table = TrustTable {
        cycle: 400,
        peers: Vec::new(),
        accuracy: None,
        calibration_error: Some(0.08),
        recommended: 3,
    };
    assert_eq!(trust(&table, Style::default()), "no other agent is modelled\n");
    table.peers.push(PeerRow {
        agent: "ops-2".parse().expect("valid"),
        trust: 0.8,
        level: "high".into(),
        class: "cooperative".into(),
        treated_as: "cooperative".into(),
        wants: Some("purpose_fidelity".into()),
        reliability: Some(0.9),
        capability: 1.0,
        deal: None,
    });
    let expected = "\
agent  trust  level  seems        treated as   wants             reliability  keeps promises  deal
ops-2   0.80  high   cooperative  cooperative  purpose fidelity         0.90           100 %  -
goals predicted - (target >= 0.60), |trust - reliability| 0.08 (< 0.15), 3 recommendations
";
    assert_eq!(trust(&table, Style::default()), expected);
}

#[test]
fn the_score_stands_with_its_five_ratios() {
    let row = |condition: &str, ratio, found, (limit, comfort), holds| ConditionRow {
        condition: condition.into(),
        ratio: Some(ratio),
        found,
        limit,
        comfort,
        holds,
    };
    let mind = Mind {
        ass: Some(AutonomyScore {
            cycle: 400,
            status: "frozen".into(),
            ass: 0.0,
            literal: 0.0,
            conditions: vec![
                row("spectral", 0.5, Some(0.94), (0.98, 0.90), true),
                row("identity", 1.0, None, (0.88, 0.95), true),
                row("value_drift", 0.0, Some(0.3), (0.25, 0.10), false),
            ],
            veto_rate: Some(0.1),
            persistent: vec!["value_drift".into()],
        }),
        vetoes: Some(Vetoes {
            vetoes: vec![VetoRow {
                cycle: 390,
                decision: "a goal: survival".into(),
                by: "value_drift 0.300 (limit 0.25)".into(),
            }],
            rollbacks: vec![RollbackRow {
                cycle: 400,
                cause: "value_drift".into(),
                ass: 0.0,
                to_cycle: 350,
            }],
        }),
        ..Mind::default()
    };
    let expected = "\
ASS 0.000 at cycle 400 (frozen)
condition      found  fails at  comfort  ratio
spectral       0.940      0.98     0.90  0.500  ##########
identity     >= 0.95      0.88     0.95  1.000  ####################
value drift    0.300      0.25     0.10  0.000  fails
below 0.20 it advises, below 0.05 it freezes
vetoed 10 % of the last decisions (target < 15 %)
vetoes again and again: value_drift
";
    assert_eq!(plain(&mind, MindView::Ass), expected);
    let expected = "\
cycle  decision                 because
  400  L4.9 froze, back to 350  value_drift
  390  a goal: survival         value_drift 0.300 (limit 0.25)
";
    assert_eq!(plain(&mind, MindView::Vetoes), expected);
    let text = overview(&mind, Style::default());
    assert!(text.contains("ass             400  0.000, frozen"), "{text}");
}

#[test]
fn a_level_that_makes_no_passes_shows_what_fails() {
    let row = |condition: &str, found: Option<f64>, holds: bool| ConditionRow {
        condition: condition.into(),
        ratio: (!holds).then_some(0.0),
        found,
        limit: 30.0,
        comfort: 200.0,
        holds,
    };
    let part = AutonomyScore {
        cycle: 70,
        status: "frozen".into(),
        ass: 0.0,
        literal: 0.0,
        conditions: vec![row("survival", Some(12.0), false), row("cascade", None, true)],
        veto_rate: None,
        persistent: Vec::new(),
    };
    let expected = "\
ASS 0.000 at cycle 70 (frozen)
condition   found  fails at  comfort  ratio
survival   12.000     30.00   200.00  0.000  fails
cascade     holds     30.00   200.00      -
below 0.20 it advises, below 0.05 it freezes
";
    assert_eq!(score(&part, Style::default()), expected);
}

#[test]
fn what_rounds_to_nothing_has_no_sign() {
    let all = [signed(-0.0001, 2), signed(0.014, 2), signed(-0.2, 1), signed(0.0, 1)];
    assert_eq!(all, ["0.00", "+0.01", "-0.2", "0.0"]);
}
