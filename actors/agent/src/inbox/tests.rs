use super::*;

fn mail(from: &str) -> Mail {
    Mail {
        from: from.parse().expect("a name"),
        message: PeerMessage::Kept { id: 1 },
    }
}

#[test]
fn each_sender_is_heard_once_in_fifty_cycles_and_coming_early_wins_nothing() {
    let mut inbox = Inbox::default();
    let heard = |inbox: &mut Inbox, from: &str, cycle| inbox.take_in(mail(from), cycle).is_ok();
    assert!(heard(&mut inbox, "a", 100) && heard(&mut inbox, "b", 101));
    let too_soon = inbox.take_in(mail("a"), 139).expect_err("too soon");
    assert_eq!(
        too_soon.to_string(),
        "a speaks too often: one message in 50 cycles; the next in 1 cycles"
    );
    assert_eq!(inbox.take().mail.len(), 2);
    // As often as it can for 5,000 cycles: the early ones do not add up.
    let spoken = (140..5_140).filter(|cycle| heard(&mut inbox, "a", *cycle) && inbox.take().mail.len() == 1);
    assert_eq!(spoken.count(), 100);
}

#[test]
fn what_is_malformed_costs_its_sender_nothing_and_what_does_not_fit_is_refused() {
    let mut inbox = Inbox::default();
    let bad = Mail {
        message: PeerMessage::Bid {
            offer: 1,
            confidence: 2.0,
        },
        ..mail("a")
    };
    assert!(matches!(inbox.take_in(bad, 1), Err(Unheard::Malformed(_))));
    for index in 0..MAX_MAIL {
        assert_eq!(inbox.take_in(mail(&format!("a-{index}")), 1), Ok(()));
    }
    assert_eq!(inbox.take_in(mail("a"), 1), Err(Unheard::Full));
    assert_eq!(inbox.take().mail.len(), MAX_MAIL);
    assert_eq!(inbox.take_in(mail("a"), 1), Ok(()));
}

#[test]
fn no_more_senders_are_remembered_than_the_limit_and_only_for_as_long_as_it_matters() {
    let mut inbox = Inbox::default();
    for index in 0..MAX_SENDERS {
        inbox.take_in(mail(&format!("a-{index}")), 1).expect("room");
        inbox.take();
    }
    assert_eq!(inbox.take_in(mail("one-more"), 50), Err(Unheard::Full));
    assert_eq!(inbox.take_in(mail("one-more"), 51), Ok(()));
    assert_eq!(inbox.speakers.0.len(), 1);
    let told = (0..3_000).filter(|cycle| inbox.refused(*cycle));
    assert_eq!(told.count(), 3);
    let counts = inbox.counts();
    assert_eq!((counts.heard, counts.refused), (MAX_SENDERS as u64 + 1, 3_000));
}

#[test]
fn questions_are_counted_apart_from_messages_and_each_asker_by_itself() {
    let mut inbox = Inbox::default();
    let [a, b]: [AgentId; 2] = ["a", "b"].map(|name| name.parse().expect("a name"));
    inbox.take_in(mail("a"), 100).expect("may speak");
    assert_eq!(inbox.take_question(&a, 100), Ok(()));
    assert_eq!(
        inbox.take_question(&a, 139),
        Err(Unheard::TooSoon {
            from: a.clone(),
            cycles: 1
        })
    );
    assert_eq!(inbox.take_question(&b, 101), Ok(()));
    assert_eq!(inbox.take_question(&a, 140), Ok(()));
    assert_eq!(inbox.take().mail.len(), 1, "a question is no mail");
}

#[test]
fn no_more_claims_and_silent_agents_wait_than_a_pass_reads() {
    let mut inbox = Inbox::default();
    let from: AgentId = "a".parse().expect("a name");
    for index in 0..MAX_MAIL - 1 {
        inbox.take_in(mail(&format!("b-{index}")), 1).expect("room");
    }
    inbox.answered(&from, vec![PeerMessage::Kept { id: 1 }, PeerMessage::Kept { id: 2 }]);
    for _ in 0..=MAX_MAIL {
        inbox.unanswered(Some(from.clone()));
    }
    inbox.unanswered(None);
    let come = inbox.take();
    assert_eq!((come.mail.len(), come.unanswered.len()), (MAX_MAIL, MAX_MAIL));
    assert_eq!(come.mail[MAX_MAIL - 1].message, PeerMessage::Kept { id: 1 });
    let counts = inbox.counts();
    assert_eq!((counts.answered, counts.unanswered), (1, MAX_MAIL as u64 + 2));
}

#[test]
fn an_agent_that_always_answers_leaves_room_for_those_that_speak_unasked() {
    let mut inbox = Inbox::default();
    let from: AgentId = "a".parse().expect("a name");
    let four = || (0..4).map(|id| PeerMessage::Kept { id }).collect::<Vec<_>>();
    for _ in 0..30 {
        inbox.answered(&from, four());
    }
    // 64 places less 16 for what was asked for.
    for index in 0..48 {
        assert_eq!(inbox.take_in(mail(&format!("b-{index}")), 1), Ok(()));
    }
    assert_eq!(inbox.take_in(mail("b"), 1), Err(Unheard::Full));
    let come = inbox.take();
    assert_eq!(come.mail.iter().filter(|mail| mail.from == from).count(), 16);
    inbox.answered(&from, four());
    assert_eq!(inbox.take().mail.len(), 4, "the next pass reads anew");
}
