//! Two agents tell a third what it can see for itself: one the truth, one not.

use rungs_mind::l49::peers::{PeerAction, PeerView, StrategyClass, TrustLevel};
use rungs_scenarios_tests::{Life, RESOURCE, Society, agent, calm_world};
use rungs_types::goal::{Comparison, Condition, Quantity};
use rungs_types::{AgentId, Authority, PeerMessage};

/// Cycles between two claims of the same agent: as often as an agent may speak.
const CLAIM_CYCLES: u64 = 50;
/// Claims of each.
const CLAIMS: u64 = 24;

/// That the resource, of which about 30 % are in use, is used by more, or less, than half.
fn claim(id: u64, is: Comparison) -> PeerMessage {
    PeerMessage::Claim {
        id,
        fact: Condition {
            of: Quantity::Dimension(RESOURCE as u16),
            is,
            value: 50.0,
        },
        within_cycles: 100,
    }
}

fn view<'a>(life: &'a Life, who: &AgentId) -> &'a PeerView {
    let output = life.autonomy().expect("a pass");
    let found = output.peers.peers.iter().find(|peer| peer.agent == *who);
    found.expect("modelled")
}

#[test]
fn a_liar_loses_trust_and_is_treated_as_competitive_and_an_honest_one_beside_it_gains_trust() {
    let lives = ["listener", "honest", "liar"].map(|name| Life::new(agent(name, calm_world(11), 11)));
    let mut society = Society::new(lives.into());
    society.run(699);
    society.place(Authority::Full);
    let [honest, liar] = [1, 2].map(|place| society.lives()[place].id().clone());
    let mut trusts = Vec::new();
    for id in 1..=CLAIMS {
        society.say(honest.clone(), 0, claim(id, Comparison::Below));
        society.say(liar.clone(), 0, claim(id, Comparison::Above));
        society.run(CLAIM_CYCLES);
        let listener = &society.lives()[0];
        let both = [&honest, &liar].map(|who| view(listener, who).trust);
        println!("after {id} claims: honest {:.3}, liar {:.3}", both[0], both[1]);
        trusts.push(both);
    }
    // Definition 10 by hand: the first pass is that of the first claims; reliability is 1 and 0 from then on.
    for (index, [honest, liar]) in trusts.iter().enumerate() {
        let checks = index as i32 + 1;
        let expected = [
            1.0 - 0.5 * 0.97_f64.powi(checks),
            (0.5 * 0.92_f64.powi(checks)).max(0.05),
        ];
        assert!((honest - expected[0]).abs() < 1e-9, "{honest} is not {}", expected[0]);
        assert!((liar - expected[1]).abs() < 1e-9, "{liar} is not {}", expected[1]);
    }
    let listener = &society.lives()[0];
    let (honest, liar) = (view(listener, &honest), view(listener, &liar));
    println!("honest: {honest:?}\nliar: {liar:?}");
    assert_eq!((liar.level, liar.reliability), (TrustLevel::Minimal, Some(0.0)));
    assert_eq!(liar.treated_as, StrategyClass::Competitive);
    assert_eq!((honest.level, honest.reliability), (TrustLevel::High, Some(1.0)));
    assert_ne!(honest.treated_as, StrategyClass::Competitive);
    let output = listener.autonomy().expect("a pass");
    println!("deals: {:?}", output.peers.deals);
    let dealt = |who: &AgentId| {
        output
            .peers
            .deals
            .iter()
            .find(|deal| deal.with == *who)
            .map(|deal| deal.action)
    };
    let [with_liar, with_honest] = [&liar.agent, &honest.agent].map(dealt);
    assert!(
        with_liar.is_some() && with_liar != Some(PeerAction::Share),
        "{with_liar:?}"
    );
    assert_eq!(with_honest, Some(PeerAction::Share));
}
