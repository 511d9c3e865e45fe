use super::*;
use crate::l49::fixtures::World;
use crate::l49::peers::MESSAGE_CYCLES;
use crate::l49::resources::project;
use rungs_types::goal::{Comparison, Quantity};

fn who() -> AgentId {
    "ops-2".parse().unwrap()
}

/// What is known of the agent after what was done with it.
fn model(done: impl FnOnce(&mut Peer)) -> Peer {
    let mut peers = Peers::default();
    let peer = peers.meet(&who(), 10);
    done(peer);
    peer.clone()
}

fn found(state: &RelateState) -> Peer {
    state.peers.get(&who()).expect("it was met").clone()
}

#[test]
fn work_that_is_awarded_is_worth_three_tenths_to_both() {
    let mut state = RelateState::default();
    let award = Mail {
        from: who(),
        message: PeerMessage::Award { offer: 1 },
    };
    state.read(&award, 10, None, &mut PeersOutput::default());
    assert_eq!(found(&state), model(|peer| peer.interacted(0.3, 0.3, 10)));
}

#[test]
fn a_load_that_falls_by_a_tenth_is_a_whole_outcome() {
    let mut state = RelateState::default();
    state.read_report(&who(), &[], 0.5, None, 10);
    state.read_report(&who(), &[], 0.4375, Some(0.03125), 10);
    // Ten times what the two loads fell by.
    assert_eq!(found(&state), model(|peer| peer.interacted(0.3125, 0.625, 10)));
}

#[test]
fn a_claim_that_held_is_worth_a_half_to_both_and_one_that_did_not_costs_the_agent_as_much() {
    // EU is 0.1.
    let below = World::new().next();
    for (at_most, held, own) in [(0.5, true, 0.5), (0.01, false, -0.5)] {
        let fact = Condition {
            of: Quantity::Eu,
            is: Comparison::AtMost,
            value: at_most,
        };
        let (kind, id, due) = (PledgeKind::Claim, 1, 100);
        let mut state = RelateState::default();
        state.pledge(&who(), kind, id, fact, due, 10);
        state.check_facts(&below);
        let expected = model(|peer| {
            peer.pledge(Pledge { kind, id, due }, 10);
            assert!(peer.checked(kind, id, held, 10));
            peer.interacted(own, 0.5, 10);
        });
        assert_eq!(found(&state), expected);
    }
}

#[test]
fn a_question_without_an_answer_costs_three_tenths_and_no_trust_and_only_who_is_modelled_is_known_by_it() {
    let mut below = World::new().next();
    below.unanswered = vec![who(), "ops-3".parse().unwrap()];
    let mut state = RelateState::default();
    state.peers.meet(&who(), 10);
    state.note_unanswered(&below);
    assert_eq!(found(&state), model(|peer| peer.interacted(-0.3, 0.0, 10)));
    assert_eq!(state.peers.iter().count(), 1);
    let known = found(&state);
    assert_eq!((known.trust().get(), known.reliability()), (0.5, None));
}

/// What is put to phase 5 of one agent of which little is known, by an agent without goals or skills.
fn proposed(offers: &[TaskAction], min_survival: f64, mode: SurvivalState) -> Vec<PeerProposal> {
    let mut state = RelateState::default();
    state.peers.meet(&who(), 10);
    state.offers = offers.iter().map(|task| (who(), 7, *task)).collect();
    let mut below = World::new().next();
    Arc::make_mut(&mut below.level48).capability = Arc::default();
    let survival = Survival {
        min_survival,
        ..project(&Default::default())
    };
    let mut output = PeersOutput::default();
    let input = Relating {
        below: &below,
        survival: &survival,
        mode,
        ruling: None,
        pass: 1,
    };
    state.propose(&input, &mut output);
    output.proposals
}

#[test]
fn the_stake_is_a_twentieth_of_the_worst_and_nothing_is_scarce_from_500_cycles_on() {
    // Sharing alone cannot make the other lose. Its worst is -(0.1 + 0.3 s) - 0.1, with s of scarcity: 1 - 250 / 500.
    for (min_survival, worst) in [(250.0, -0.35), (500.0, -0.2), (505.0, -0.2)] {
        let proposals = proposed(&[], min_survival, SurvivalState::ALL[0]);
        let PeerAct::Deal {
            action, recommendation, ..
        } = &proposals[0].act
        else {
            panic!("{proposals:?}");
        };
        assert_eq!(*action, PeerAction::Share);
        assert!((recommendation.worst - worst).abs() < 1e-12, "{recommendation:?}");
        assert!((proposals[0].stake - -0.05 * worst).abs() < 1e-12, "{proposals:?}");
    }
}

fn said(offers: &[TaskAction], mode: SurvivalState) -> Option<PeerMessage> {
    let proposals = proposed(offers, 500.0, mode);
    proposals.into_iter().find_map(|proposal| match proposal.act {
        PeerAct::Say(outgoing) => Some(outgoing.message),
        PeerAct::Deal { .. } => None,
    })
}

#[test]
fn whoever_is_short_offers_a_tenth_of_the_doers_budget() {
    let Some(PeerMessage::Offer { id: 1, share, .. }) = said(&[], SurvivalState::ALL[4]) else {
        panic!("an offer");
    };
    assert_eq!(share, 0.1);
}

#[test]
fn a_bid_for_what_the_agent_knows_nothing_of_is_made_with_half_confidence() {
    let bid = PeerMessage::Bid {
        offer: 7,
        confidence: 0.5,
    };
    assert_eq!(said(&[TaskAction::ClearIncident], SurvivalState::ALL[0]), Some(bid));
}

#[test]
fn an_agent_speaks_in_every_pass_of_fifty_cycles_and_not_sooner() {
    let (mut world, mut relate) = (World::new(), Relate::new());
    let mut ruling = Ruling::default();
    let mut spoken = Vec::new();
    for pass in 1..=24 {
        // Four passes of fifty cycles, then one after ten, and so on.
        let mut below = world.next();
        for _ in 1..if pass % 5 == 0 { 1 } else { 5 } {
            below = world.next();
        }
        below.group = Some("web".parse().unwrap());
        let output = relate.step(&Relating {
            below: &below,
            survival: &project(&Default::default()),
            mode: SurvivalState::Abundant,
            ruling: Some(&ruling),
            pass,
        });
        let says = |proposal: &PeerProposal| matches!(proposal.act, PeerAct::Say(_));
        if output.proposals.iter().any(says) {
            spoken.push(below.cycle());
        }
        ruling = Ruling {
            pass,
            peers: vec![true; output.proposals.len()],
            ..Ruling::default()
        };
    }
    // 50, 100, 150, 200, not 210, 260 and so on: of 24 passes the four after ten cycles say nothing.
    assert_eq!(spoken.len(), 20, "{spoken:?}");
    assert_eq!(spoken[..5], [50, 100, 150, 200, 260]);
    assert!(
        spoken.windows(2).all(|two| two[1] - two[0] >= MESSAGE_CYCLES),
        "{spoken:?}"
    );
}
