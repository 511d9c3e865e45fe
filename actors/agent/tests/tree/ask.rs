//! Questions between agents: a task that asks, what the other answers or why it does not, and what that does to trust.

use crate::peers::{in_group, place};
use crate::reach::call;
use crate::support::{Node, World, cycle, id, memory, paused_runtime, spec, until};
use futures::future::BoxFuture;
use rungs_agent::goals::{GetGoal, GoalDetail};
use rungs_agent::messages::{Acquaintance, Ask};
use rungs_agent::{
    AgentHandle, AgentRuntime, Asked, Command, Description, Environment, EnvironmentError, Letter, Observed, Peers,
    Question, Whom,
};
use rungs_host::{Refusal, Wire};
use rungs_types::peer::{Answer, Told};
use rungs_types::{AgentSpec, Authority, ErrorCode, EventKind, Level};
use std::sync::Arc;
use std::time::Duration;

/// The world of the other tests, seen by some agents as it is not.
struct Seen {
    world: World,
    off_by: f64,
}

impl Environment for Seen {
    fn describe(&self) -> &Description {
        self.world.describe()
    }

    fn observe(&mut self, now: Duration, row: &mut [f64]) -> Result<Observed, EnvironmentError> {
        let observed = self.world.observe(now, row)?;
        row.iter_mut().for_each(|value| *value += self.off_by);
        Ok(observed)
    }

    fn act(&mut self, command: Command) -> Result<(), EnvironmentError> {
        self.world.act(command)
    }
}

/// A node on which agents whose name begins with `far` see everything a thousand too high.
async fn node() -> Node {
    let runtime = AgentRuntime {
        environments: Arc::new(|_, agent| {
            let off_by = if agent.name.as_str().starts_with("far") {
                1_000.0
            } else {
                0.0
            };
            let world = World::new(agent.name.as_str().len() as u64);
            Ok(Box::new(Seen { world, off_by }))
        }),
        ..AgentRuntime::clone(&paused_runtime(memory()))
    };
    Node::start(Arc::new(runtime)).await
}

/// Sets a goal whose only task asks a peer about a group.
async fn set(node: &Node, agent: &str, goal: &str, group: u16) {
    let text = format!(
        "{{\"spec\":{{\"goal\":\"{goal}\",\"intent\":\"know more\",
            \"success\":{{\"all\":[{{\"of\":{{\"dimension\":0}},\"is\":\"above\",\"value\":1e6}}]}},
            \"tasks\":[{{\"name\":\"ask\",\"does\":{{\"ask_peer\":{{\"group\":{group}}}}}}}]}}}}"
    );
    let set = call(node, &format!("{agent}#kernel"), "goal.submit", &text).await;
    set.expect("it is set");
}

/// Where the task of a goal stands.
async fn task(node: &Node, agent: &str, goal: &str) -> String {
    let json = format!("{{\"goal\":\"{goal}\"}}");
    let text = call(node, &format!("{agent}#kernel"), GetGoal::KIND, &json).await;
    let detail: GoalDetail = serde_json::from_str(&text.expect("answers")).expect("a goal");
    detail.tasks[0].state.clone()
}

async fn acquaintance(agent: &AgentHandle) -> Acquaintance {
    agent.peers().await.expect("answers")
}

/// An agent of the group whose Level 4.9 acts, and one that it can ask, both with some cycles behind them.
async fn two(node: &Node, asked: &str) -> [AgentHandle; 2] {
    let asker = node.hosts.spawn(in_group("ops-1")).await.expect("starts");
    let asked = node.hosts.spawn(in_group(asked)).await.expect("starts");
    cycle(&asker, 50).await;
    place(&asker, Authority::Half).await;
    [asker, asked]
}

#[tokio::test(start_paused = true)]
async fn a_task_that_asks_is_done_by_an_answer_and_what_was_claimed_and_held_earns_trust() {
    let node = node().await;
    let [asker, asked] = two(&node, "ops-2").await;
    set(&node, "ops-1", "learn", 0).await;
    cycle(&asker, 70).await;
    assert_eq!(task(&node, "ops-1", "learn").await, "done");
    // The next pass of Level 4.9 reads and checks it.
    cycle(&asker, 130).await;
    let known = acquaintance(&asker).await;
    assert_eq!((known.answered, known.unanswered, known.refused), (1, 0, 0));
    let [modelled] = &known.modelled[..] else {
        panic!("{known:?}");
    };
    // Both dimensions of the group were within the claimed bounds; trust moves once by 0.03 of what is missing.
    assert_eq!((&modelled.agent, modelled.reliability), (&id("ops-2"), Some(1.0)));
    assert!((modelled.trust - 0.515).abs() < 1e-12, "{known:?}");
    let other = acquaintance(&asked).await;
    assert_eq!((other.answered, other.unanswered), (0, 0), "to answer is not to ask");
    assert_eq!(asker.status().late_cycles + asked.status().late_cycles, 0);
}

#[tokio::test(start_paused = true)]
async fn whoever_is_wrong_loses_trust_by_each_answer_until_it_is_neither_asked_nor_answered() {
    let node = node().await;
    let [asker, _asked] = two(&node, "far-1").await;
    // Trust moves by 0.08 of itself each time: 0.46, 0.4232, 0.389344; below 0.40 is not trusted.
    for (round, trust) in [(1, 0.46), (2, 0.4232), (3, 0.389_344)] {
        set(&node, "ops-1", &format!("learn-{round}"), 0).await;
        cycle(&asker, asker.cycle() + 120).await;
        assert_eq!(task(&node, "ops-1", &format!("learn-{round}")).await, "done");
        let known = acquaintance(&asker).await;
        assert_eq!(known.modelled[0].reliability, Some(0.0), "{known:?}");
        assert!((known.modelled[0].trust - trust).abs() < 1e-12, "{known:?}");
    }
    let mut events = asker.events();
    set(&node, "ops-1", "learn-4", 0).await;
    let about = |kind: &EventKind| matches!(kind, EventKind::Warning { summary } if summary.contains("not answered"));
    let warned = until(&mut events, about).await;
    let text = "a question was not answered: nobody else to ask is in group:web";
    assert_eq!(
        warned.kind,
        EventKind::Warning {
            summary: text.to_owned()
        }
    );
    assert_eq!(task(&node, "ops-1", "learn-4").await, "failed");
    let refused = ask(&node, "ops-1", "far-1", "first").await.expect_err("distrusted");
    assert_eq!(refused.code, ErrorCode::Forbidden);
    assert_eq!(
        refused.message,
        "ops-1 answers agents of moderate trust and above, not far-1"
    );
    // What Level 4.9 thinks of others has no effect while it does not act.
    place(&asker, Authority::Shadow).await;
    cycle(&asker, asker.cycle() + 50).await;
    let answer = ask(&node, "ops-1", "far-1", "first").await;
    assert_eq!(answer.expect("answers").dimensions.len(), 2);
}

/// Asks an agent as another one would.
async fn ask(node: &Node, to: &str, from: &str, about: &str) -> Result<Answer, Refusal> {
    let json = format!("{{\"from\":\"{from}\",\"about\":\"{about}\"}}");
    let text = call(node, &format!("{to}#kernel"), Ask::KIND, &json).await?;
    Ok(serde_json::from_str(&text).expect("an answer"))
}

#[tokio::test(start_paused = true)]
async fn a_question_is_answered_with_bounds_or_refused_with_its_reason() {
    let node = node().await;
    let agent = node.hosts.spawn(spec("ops-1")).await.expect("starts");
    let unseen = ask(&node, "ops-1", "ops-2", "first")
        .await
        .expect_err("nothing is known yet");
    assert_eq!(
        (unseen.code, unseen.message.as_str()),
        (ErrorCode::Refused, "ops-1 has not seen first lately")
    );
    let low = AgentSpec {
        highest: Level::L48,
        ..spec("low")
    };
    node.hosts.spawn(low).await.expect("starts");
    cycle(&agent, 100).await;
    let code = async |to: &str, from: &str, about: &str| ask(&node, to, from, about).await.map_err(|no| no.code);
    assert_eq!(code("low", "ops-2", "first").await, Err(ErrorCode::Refused));
    assert_eq!(code("ops-1", "ops-1", "first").await, Err(ErrorCode::Forbidden));
    assert_eq!(code("ops-1", "acme/ops-2", "first").await, Err(ErrorCode::Forbidden));
    let unknown = ask(&node, "ops-1", "ops-4", "third").await.expect_err("no such group");
    assert_eq!(unknown.code, ErrorCode::NotFound);
    assert!(unknown.message.contains("expected one of first, second"), "{unknown}");
    // What was refused has cost a turn like an answer; the one of the first cycle is over.
    assert_eq!(code("ops-1", "ops-4", "third").await, Err(ErrorCode::Overloaded));
    let answer = ask(&node, "ops-1", "ops-2", "first").await.expect("answers");
    answer.validate().expect("sound");
    let names: Vec<_> = answer.dimensions.iter().map(|told| told.name.as_str()).collect();
    assert_eq!((names, answer.within_cycles), (vec!["d0", "d1"], 100));
    for told in &answer.dimensions {
        // Four standard deviations of a process whose own is 1.67, give or take half of it after a hundred cycles.
        let half = (told.highest - told.lowest) / 2.0;
        assert!((3.3..10.0).contains(&half), "{told:?}");
    }
    assert_eq!(code("ops-1", "ops-2", "first").await, Err(ErrorCode::Overloaded));
    assert!(code("ops-1", "ops-3", "second").await.is_ok(), "each asker by itself");
    cycle(&agent, 160).await;
    assert!(code("ops-1", "ops-2", "second").await.is_ok());
}

/// A way on which every question comes out like this, after its deadline if it says nothing.
#[derive(Clone)]
struct Way(Option<Answer>);

impl Peers for Way {
    fn send(&self, _: Letter) -> bool {
        true
    }

    fn ask(&self, question: Question) -> BoxFuture<'static, Asked> {
        let answer = self.0.clone();
        Box::pin(async move {
            assert_eq!(question.whom, Whom::OneOf(id("web").name));
            if answer.is_none() {
                tokio::time::sleep(question.deadline).await;
            }
            let late = Refusal::new(ErrorCode::DeadlineExceeded, "no answer in time");
            Asked {
                of: Some(id("ops-2")),
                answer: answer.ok_or(late),
            }
        })
    }
}

/// How a question goes on such a way: where its task stands after 15 and after 40 cycles, and the counts of answered and
/// unanswered ones.
async fn asked_on(way: Option<Answer>) -> ([String; 2], (u64, u64)) {
    let runtime = AgentRuntime {
        peers: Arc::new(Way(way)),
        ..AgentRuntime::clone(&paused_runtime(memory()))
    };
    let node = Node::start(Arc::new(runtime)).await;
    let agent = node.hosts.spawn(in_group("ops-1")).await.expect("starts");
    cycle(&agent, 50).await;
    set(&node, "ops-1", "learn", 0).await;
    cycle(&agent, 65).await;
    let before = task(&node, "ops-1", "learn").await;
    cycle(&agent, 90).await;
    let after = task(&node, "ops-1", "learn").await;
    assert_eq!(agent.status().late_cycles, 0, "the kernel waits for nobody");
    let known = acquaintance(&agent).await;
    ([before, after], (known.answered, known.unanswered))
}

#[tokio::test(start_paused = true)]
async fn a_second_question_waits_until_the_first_is_over_however_fast_the_agent_is() {
    let runtime = AgentRuntime {
        peers: Arc::new(Way(None)),
        ..AgentRuntime::clone(&paused_runtime(memory()))
    };
    let node = Node::start(Arc::new(runtime)).await;
    // Two seconds to answer are a hundred cycles; to rest from asking takes fifty.
    let fast = AgentSpec {
        rate_hz: 50.0,
        ..in_group("ops-1")
    };
    let agent = node.hosts.spawn(fast).await.expect("starts");
    cycle(&agent, 50).await;
    set(&node, "ops-1", "first", 0).await;
    set(&node, "ops-1", "second", 1).await;
    cycle(&agent, 130).await;
    for goal in ["first", "second"] {
        assert_ne!(task(&node, "ops-1", goal).await, "failed", "{goal}");
    }
    cycle(&agent, 290).await;
    for goal in ["first", "second"] {
        assert_eq!(
            task(&node, "ops-1", goal).await,
            "failed",
            "no answer came, to either of them"
        );
    }
    assert_eq!(acquaintance(&agent).await.unanswered, 2);
}

#[tokio::test(start_paused = true)]
async fn a_question_is_under_way_until_its_deadline_and_fails_without_a_sound_answer_of_use() {
    // Ten cycles a second, and two seconds to answer.
    let (states, counts) = asked_on(None).await;
    assert!(states[0].starts_with("under way since"), "{states:?}");
    assert_eq!((states[1].as_str(), counts), ("failed", (0, 1)));
    let answer = |name: &str, lowest: f64| Answer {
        dimensions: vec![Told {
            name: name.to_owned(),
            value: 0.0,
            lowest,
            highest: 1.0,
        }],
        within_cycles: 100,
    };
    for (way, state, counted) in [
        (answer("d0", -1.0), "done", (1, 0)),
        (answer("d0", 0.5), "failed", (0, 1)),
        (answer("d9", -1.0), "failed", (1, 0)),
    ] {
        let (states, counts) = asked_on(Some(way.clone())).await;
        assert_eq!(
            (states, counts),
            ([state.to_owned(), state.to_owned()], counted),
            "{way:?}"
        );
    }
}
