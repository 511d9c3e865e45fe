use super::*;
use crate::l48::fixtures;

fn rounded(found: &[Influence]) -> Vec<(Node, f64, u32)> {
    let round = |value: f64| (value * 1e6).round() / 1e6;
    found.iter().map(|f| (f.node, round(f.strength), f.lag)).collect()
}

fn learnt(cause: Node, effect: Node, lag: u16, strength: f64) -> Edge {
    Edge {
        cause,
        effect,
        lag,
        strength,
        origin: Origin::Learnt,
    }
}

/// A graph in which these nodes are active with this value.
fn active(nodes: &[(Node, f64)]) -> CausalGraph {
    let mut graph = CausalGraph::new(3);
    let mut row = vec![0.0; graph.len()];
    for &(node, value) in nodes {
        row[index(node)] = value;
    }
    graph.activity.push(row);
    graph
}

#[test]
fn the_declared_edges_are_those_of_the_diagram() {
    let edges: Vec<_> = CausalGraph::new(0)
        .edges()
        .map(|e| (e.cause, e.effect, e.lag, e.strength))
        .collect();
    assert_eq!(
        edges,
        [
            (Node::ResourceDepletion, Node::PerformanceDegradation, 5, 0.8),
            (Node::PerformanceDegradation, Node::StrategyFailure, 10, 0.6),
            (Node::StrategyFailure, Node::GoalAbandonment, 20, 0.4),
            (Node::ResourceDepletion, Node::GoalAbandonment, 15, 0.3),
        ]
    );
}

#[test]
fn effects_multiply_strengths_and_add_lags_and_the_nearest_way_counts() {
    let effects = CausalGraph::new(0).effects(Node::ResourceDepletion, 0.5);
    // 0.5 x 0.8 after 5; 0.4 x 0.6 after 15; and abandonment by its direct edge, 0.5 x 0.3 after 15.
    assert_eq!(
        rounded(&effects),
        [
            (Node::PerformanceDegradation, 0.4, 5),
            (Node::StrategyFailure, 0.24, 15),
            (Node::GoalAbandonment, 0.15, 15),
        ]
    );
    assert!(CausalGraph::new(0).effects(Node::GoalAbandonment, 1.0).is_empty());
}

#[test]
fn the_root_cause_is_the_active_node_that_no_other_explains() {
    let graph = active(&[(Node::ResourceDepletion, 0.9), (Node::PerformanceDegradation, 0.6)]);
    // 0.6 x 0.8 after 10 + 5 cycles; degradation is active as well, and explained.
    assert_eq!(
        rounded(&graph.root_causes(Node::StrategyFailure)),
        [(Node::ResourceDepletion, 0.48, 15)]
    );
    let graph = active(&[(Node::PerformanceDegradation, 0.6)]);
    assert_eq!(
        rounded(&graph.root_causes(Node::StrategyFailure)),
        [(Node::PerformanceDegradation, 0.6, 10)]
    );
}

#[test]
fn what_nothing_active_explains_is_its_own_root_cause() {
    let graph = active(&[(Node::StrategyFailure, 0.9)]);
    assert_eq!(
        rounded(&graph.root_causes(Node::StrategyFailure)),
        [(Node::StrategyFailure, 1.0, 0)]
    );
}

#[test]
fn a_circle_of_learnt_causes_ends() {
    let mut graph = active(&[(Node::Group(0), 0.9), (Node::Group(1), 0.9)]);
    graph.learnt = vec![
        learnt(Node::Group(0), Node::Group(1), 2, 0.5),
        learnt(Node::Group(1), Node::Group(0), 5, 0.4),
    ];
    assert_eq!(rounded(&graph.effects(Node::Group(0), 1.0)), [(Node::Group(1), 0.5, 2)]);
    assert_eq!(rounded(&graph.root_causes(Node::Group(1))), [(Node::Group(0), 0.5, 2)]);
}

#[test]
fn a_node_is_active_above_a_third_and_for_three_reports() {
    assert!(active(&[(Node::Group(2), 1.0 / 3.0)]).active().is_empty());
    let mut graph = active(&[(Node::Group(2), 0.34)]);
    assert_eq!(graph.active(), [Node::Group(2)]);
    let calm = fixtures::report(10, 3, |_, _| 0.0);
    graph.step(&calm, &[]);
    graph.step(&calm, &[]);
    assert_eq!(graph.active(), [Node::Group(2)], "a lag may be 20 cycles");
    graph.step(&calm, &[]);
    assert!(graph.active().is_empty());
}

#[test]
fn stress_is_the_strongest_effect_of_what_is_active() {
    assert_eq!(active(&[]).stress(), 0.0);
    // 0.5 x 0.8.
    assert!((active(&[(Node::ResourceDepletion, 0.5)]).stress() - 0.4).abs() < 1e-12);
    assert_eq!(
        active(&[(Node::GoalAbandonment, 1.0)]).stress(),
        0.0,
        "it brings about nothing"
    );
}

#[test]
fn a_group_is_a_sixth_of_its_error_in_standard_deviations_from_normal() {
    let mut report = fixtures::report(10, 2, |_, _| 0.0);
    report.facts[0].utilisation = 0.85;
    report.facts[0].environment_error = 3.0;
    report.facts[0].strategy_flips = 1;
    report.facts[0].volatility = [0.9, 0.9, 0.25, 0.9];
    report.groups = [0, 0].into();
    let score = |dimension, observed| Score {
        cycle: 1,
        dimension,
        forecast: 0.0,
        half_width: 1.645,
        persistence: 0.0,
        observed,
        ..Score::default()
    };
    let graph = CausalGraph::new(1);
    // Errors of 3 and 4 standard deviations: rms sqrt(12.5).
    let row = graph.row(&report.facts[0], &report, &[score(0, 3.0), score(1, -4.0)]);
    for (value, expected) in row.iter().zip([0.5, 0.5, 1.0, 0.25, 12.5_f64.sqrt() / 6.0]) {
        assert!((value - expected).abs() < 1e-12, "{row:?}");
    }
    let row = graph.row(&report.facts[1], &report, &[score(0, 3.0)]);
    assert!(row[4].is_nan(), "that was another cycle");
}

#[test]
fn groups_that_move_one_another_are_learnt_from_reports() {
    let mut graph = CausalGraph::new(2);
    let mut scores = Vec::new();
    // Group 0 is surprised every seventh cycle, group 1 two cycles later.
    let surprised = |cycle: u64| cycle.is_multiple_of(7);
    for last in (10..=1_000).step_by(10) {
        let report = fixtures::report(last, 2, |_, _| 0.0);
        let report = CycleReport {
            groups: [0, 1].into(),
            ..report
        };
        scores.clear();
        for cycle in last - 9..=last {
            for (dimension, is) in [(0, surprised(cycle)), (1, cycle > 2 && surprised(cycle - 2))] {
                scores.push(Score {
                    cycle,
                    dimension,
                    forecast: 0.0,
                    half_width: 1.645,
                    persistence: 0.0,
                    observed: if is { 4.0 } else { 0.5 },
                    ..Score::default()
                });
            }
        }
        graph.step(&report, &scores);
    }
    let edge = graph
        .learnt()
        .iter()
        .find(|edge| (edge.cause, edge.effect) == (Node::Group(0), Node::Group(1)));
    let edge = edge.expect("learnt");
    assert!(edge.lag == 2 && edge.strength > 0.9, "{edge:?}");
}

#[test]
fn a_snapshot_keeps_the_strongest_edges_and_a_broken_one_is_refused() {
    let mut graph = active(&[(Node::Group(0), 0.9)]);
    graph.learnt = vec![learnt(Node::Group(0), Node::Group(1), 2, 0.5); MAX_KEPT + 1];
    let summary = graph.summary();
    let restored = CausalGraph::from_summary(&summary).expect("undamaged");
    assert_eq!(restored.learnt().len(), MAX_KEPT);
    let edge = restored.learnt()[0];
    assert_eq!(
        (edge.cause, edge.effect, edge.lag, edge.origin),
        (Node::Group(0), Node::Group(1), 2, Origin::Learnt)
    );
    assert!((edge.strength - 64.0 / 127.0).abs() < 1e-12, "a half to the next 127th");
    let sound = summary.learnt[0];
    let refused = |edge: summary::KeptEdge| {
        let broken = CausalSummary {
            learnt: vec![edge],
            ..summary.clone()
        };
        assert!(CausalGraph::from_summary(&broken).is_err(), "{edge:?}");
    };
    refused(summary::KeptEdge { lag: 0, ..sound });
    refused(summary::KeptEdge { lag: 21, ..sound });
    refused(summary::KeptEdge { effect: 7, ..sound });
    refused(summary::KeptEdge {
        effect: sound.cause,
        ..sound
    });
    let many = CausalSummary {
        learnt: vec![sound; MAX_KEPT + 1],
        ..summary.clone()
    };
    assert!(CausalGraph::from_summary(&many).is_err());
    assert!(CausalGraph::from_summary(&CausalSummary { groups: 13, ..summary }).is_err());
}

#[test]
fn what_is_active_is_told_with_its_roots_and_effects() {
    assert_eq!(active(&[]).causes(), Causes::default());
    let causes = active(&[(Node::ResourceDepletion, 0.5), (Node::PerformanceDegradation, 0.35)]).causes();
    assert_eq!(
        causes.active,
        [(Node::ResourceDepletion, 0.5), (Node::PerformanceDegradation, 0.35)]
    );
    // Depletion explains itself, and degradation by 0.8: the stronger is told.
    assert_eq!(rounded(&causes.roots), [(Node::ResourceDepletion, 1.0, 0)]);
    assert_eq!(
        rounded(&causes.effects),
        [
            (Node::PerformanceDegradation, 0.4, 5),
            (Node::StrategyFailure, 0.24, 15),
            (Node::GoalAbandonment, 0.15, 15)
        ]
    );
    assert!((causes.stress - 0.4).abs() < 1e-12);
}
