use super::*;
use crate::actor::{DirectoryActor, Owner};
use crate::placement::{Member, StaticPlacement};
use crate::routing::Fixed;
use ractor::ActorCell;
use rungs_host::{Endpoints, EventHub, Mailbox, Watched, Wire};
use rungs_mesh::bench::target::{Count, Delay, Echo, Target, TargetHandle};
use rungs_mesh::hello::ClusterId;
use rungs_mesh::memory::{Faults, MemoryNetwork};
use rungs_mesh::{MeshConfig, Role, Roles};
use rungs_types::{AgentId, Event, EventKind, NodeId};

const SECOND: Duration = Duration::from_secs(1);

mod activation;
mod find;
mod roles;

struct Node {
    directory: Directory,
    endpoints: Arc<Endpoints>,
    supervisor: ActorCell,
}

fn name(text: &str) -> NodeName {
    NodeName::new(text).expect("a name")
}

fn address(text: &str) -> Address {
    text.parse().expect("an address")
}

async fn node(network: &MemoryNetwork, id: &str, members: &[&str]) -> Node {
    let id: NodeId = id.parse().expect("a node id");
    let roles = Roles::of(&[Role::Member]);
    let endpoints = Arc::new(Endpoints::new());
    let config = MeshConfig {
        node: id.clone(),
        roles,
        cluster: ClusterId::from_bits(1),
    };
    let transport = network.transport(id, roles);
    let mesh = Mesh::start(config, transport, Arc::clone(&endpoints), EventHub::default())
        .await
        .expect("starts");
    let members = members.iter().map(|member| Member {
        node: name(member),
        weight: 1,
    });
    let placement = StaticPlacement::new(members.collect()).expect("a placement");
    let node = mesh.node().name.clone();
    let directory = Directory::new(mesh, Arc::new(Fixed { node, placement }));
    let supervisor = rungs_host::SupervisorHandle::spawn(
        rungs_host::supervisor::SupervisorSpec {
            policy: rungs_host::supervisor::Policy::ONE_FOR_ONE,
            seed: 0,
            timers: rungs_host::Timers::start(),
            children: Vec::new(),
            observer: None,
        },
        None,
    );
    let supervisor = supervisor.await.expect("starts").cell();
    DirectoryActor::start(directory.clone(), supervisor.clone())
        .await
        .expect("starts");
    Node {
        directory,
        endpoints,
        supervisor,
    }
}

impl Node {
    async fn linked(&self, count: usize) {
        let mut peers = self.directory.mesh().watch();
        peers
            .wait_for(|peers| peers.len() == count)
            .await
            .expect("the mesh lives");
    }

    async fn target(&self, at: &str) -> TargetHandle {
        Target::start(&self.endpoints, address(at), Mailbox::bounded(8, 1 << 20))
            .await
            .expect("starts")
    }

    async fn ask<W: Wire>(&self, to: &str, message: &W) -> Result<W::Reply, Refusal> {
        let payload = Payload::of(message, Format::Binary)?;
        self.directory.ask(address(to), payload, SECOND * 2).await?.decode()
    }

    async fn echo(&self, to: &str) -> Result<String, Refusal> {
        self.ask(to, &Echo { text: "x".to_owned() }).await
    }

    async fn code(&self, to: &str) -> ErrorCode {
        self.echo(to).await.expect_err("refused").code
    }
}

async fn three() -> (MemoryNetwork, [Node; 3]) {
    let network = MemoryNetwork::new(3, Faults::default());
    let members = ["n1", "n2", "n3"];
    let nodes = [
        node(&network, "n1~1", &members).await,
        node(&network, "n2~1", &members).await,
        node(&network, "n3~1", &members).await,
    ];
    for node in &nodes {
        node.linked(2).await;
    }
    (network, nodes)
}

/// The first agent of the form `a-…` that `node` owns.
fn agent_of(directory: &Directory, node: &str) -> String {
    let mut names = (0..).map(|i| format!("a-{i}"));
    let owned = |text: &String| {
        let agent: AgentId = text.parse().expect("an agent");
        directory.owner_of(&agent) == Some(name(node))
    };
    names.find(owned).expect("every node owns some")
}

#[tokio::test(start_paused = true)]
async fn an_agent_is_reached_by_its_name_from_every_node() {
    let (_network, nodes) = three().await;
    for owner in &nodes {
        let agent = agent_of(&owner.directory, owner.directory.node().as_str());
        let target = owner.target(&agent).await;
        for node in &nodes {
            assert_eq!(node.echo(&agent).await, Ok("x".to_owned()));
            let message = Payload::of(&Count { text: String::new() }, Format::Binary).expect("encodes");
            assert_eq!(node.directory.tell(address(&agent), message).await, Ok(()));
            let found = node.directory.owner(&address(&agent)).await;
            assert_eq!(found.as_ref(), Ok(owner.directory.node()));
        }
        // A question to the actor comes after what the same node told it; the others have asked long ago.
        tokio::time::sleep(SECOND).await;
        assert_eq!(target.counted(), 3);
    }
    let members = nodes[0].directory.members();
    assert_eq!(members, ["n1", "n2", "n3"].map(name));
}

#[tokio::test(start_paused = true)]
async fn every_error_has_its_code_here_and_on_another_node() {
    let (_network, [one, two, _three]) = three().await;
    let [here, there] = [agent_of(&one.directory, "n1"), agent_of(&one.directory, "n2")];
    for (owner, agent) in [(&one, here), (&two, there)] {
        assert_eq!(one.code(&agent).await, ErrorCode::NotFound);
        owner.target(&agent).await;
        let late = one.ask(&agent, &Delay { ms: 3000 }).await.expect_err("late");
        assert_eq!(late.code, ErrorCode::DeadlineExceeded);
        assert!(late.message.contains("may have been executed"), "{late}");
        // Until the actor is free again.
        tokio::time::sleep(SECOND * 2).await;
        let delay = Payload::of(&Delay { ms: 60_000 }, Format::Binary).expect("encodes");
        for _ in 0..10 {
            // What finds the mailbox of another node full is lost; a tell is sent at most once.
            drop(one.directory.tell(address(&agent), delay.clone()).await);
        }
        tokio::time::sleep(SECOND).await;
        let full = one.echo(&agent).await.expect_err("full");
        assert_eq!((full.code, full.retry_after_ms), (ErrorCode::Overloaded, Some(50)));
        let mut unknown = delay.clone();
        unknown.kind = "no.such".into();
        let refused = one
            .directory
            .ask(address(&agent), unknown, SECOND)
            .await
            .expect_err("unknown");
        assert_eq!(refused.code, ErrorCode::Malformed);
    }
    assert_eq!(one.code("@n1/nothing").await, ErrorCode::NotFound);
    assert_eq!(one.code("@n2/nothing").await, ErrorCode::NotFound);
    assert_eq!(one.code("@n9/directory").await, ErrorCode::NodeDown);
}

#[tokio::test(start_paused = true)]
async fn agents_of_a_dead_node_are_out_of_reach_until_it_is_back() {
    let (network, [one, two, _three]) = three().await;
    let agent = agent_of(&one.directory, "n2");
    two.target(&agent).await;
    assert_eq!(one.echo(&agent).await, Ok("x".to_owned()));
    network.partition(&name("n1"), &name("n2"));
    one.linked(1).await;
    let down = one.echo(&agent).await.expect_err("down");
    assert_eq!(
        (down.code, down.message.as_str()),
        (ErrorCode::NodeDown, "node n2 is not reachable")
    );
    network.heal();
    one.linked(2).await;
    assert_eq!(one.echo(&agent).await, Ok("x".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_message_at_the_wrong_node_is_sent_on_once() {
    let network = MemoryNetwork::new(3, Faults::default());
    // n1 believes that n2 owns everything; n2 and n3 know better.
    let one = node(&network, "n1~1", &["n2"]).await;
    let two = node(&network, "n2~1", &["n2", "n3"]).await;
    let three = node(&network, "n3~1", &["n2", "n3"]).await;
    for node in [&one, &two, &three] {
        node.linked(2).await;
    }
    let agent = agent_of(&two.directory, "n3");
    let target = three.target(&agent).await;
    assert_eq!(one.echo(&agent).await, Ok("x".to_owned()));
    let message = Payload::of(&Count { text: String::new() }, Format::Binary).expect("encodes");
    assert_eq!(one.directory.tell(address(&agent), message).await, Ok(()));
    assert_eq!(one.ask(&agent, &Count { text: String::new() }).await, Ok(2));
    assert_eq!(target.counted(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_message_does_not_circle_between_nodes_that_disagree() {
    let network = MemoryNetwork::new(3, Faults::default());
    let one = node(&network, "n1~1", &["n2"]).await;
    let two = node(&network, "n2~1", &["n3"]).await;
    let three = node(&network, "n3~1", &["n2"]).await;
    for node in [&one, &two, &three] {
        node.linked(2).await;
    }
    let lost = one.echo("a-1").await.expect_err("nobody has it");
    assert_eq!(lost.code, ErrorCode::NodeDown);
    assert!(
        lost.message.ends_with("is not here by map v1, by which it was sent"),
        "{lost}"
    );
    let frames: u64 = three.directory.mesh().metrics().iter().map(|link| link.asked).sum();
    assert_eq!(frames, 0, "n3 asked nobody");
}

#[tokio::test(start_paused = true)]
async fn a_users_actor_is_found_wherever_it_is_and_found_again_when_it_moves() {
    let (_network, [one, two, three]) = three().await;
    assert_eq!(one.code("user:greeter").await, ErrorCode::NotFound);
    three.target("user:greeter").await;
    tokio::time::sleep(crate::users::MISSING_FOR).await;
    assert_eq!(one.echo("user:greeter").await, Ok("x".to_owned()));
    let owner = one.directory.owner(&address("user:greeter")).await;
    assert_eq!(owner, Ok(name("n3")));
    three.endpoints.remove(&address("user:greeter"));
    two.target("user:greeter").await;
    assert_eq!(one.code("user:greeter").await, ErrorCode::NotFound);
    assert_eq!(one.echo("user:greeter").await, Ok("x".to_owned()));
    assert_eq!(two.echo("user:greeter").await, Ok("x".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn the_directory_of_any_node_says_where_an_address_leads() {
    let (_network, [one, two, _three]) = three().await;
    let agent = agent_of(&one.directory, "n3");
    let question = Owner {
        address: address(&agent),
    };
    assert_eq!(one.ask("@n2/directory", &question).await, Ok(name("n3")));
    assert_eq!(two.ask("@n2/directory", &question).await, Ok(name("n3")));
}

fn event(node: &str, seq: u64) -> Event {
    Event {
        seq,
        node: name(node),
        agent: "a-1".parse().expect("an agent"),
        cycle: seq,
        kind: EventKind::Warning {
            summary: "x".to_owned(),
        },
    }
}

async fn seen(stream: &mut EventStream) -> Vec<(String, u64)> {
    let mut seen = Vec::new();
    while let Ok(Some(watched)) = tokio::time::timeout(SECOND * 3, stream.recv()).await {
        match watched {
            Watched::Event(event) => seen.push((event.node.to_string(), event.seq)),
            Watched::Lagged(lost) => seen.push(("lost".to_owned(), lost)),
        }
    }
    seen.sort();
    seen
}

#[tokio::test(start_paused = true)]
async fn one_stream_has_the_events_of_all_nodes_also_of_one_that_comes_back() {
    let (network, [one, two, three]) = three().await;
    let mut stream = one
        .directory
        .subscribe(EventFilter::default())
        .await
        .expect("subscribes");
    tokio::time::sleep(SECOND).await;
    for (seq, node) in [&one, &two, &three].into_iter().enumerate() {
        node.directory
            .mesh()
            .events()
            .publish(event(node.directory.node().as_str(), seq as u64));
    }
    let expected = [("n1", 0), ("n2", 1), ("n3", 2)].map(|(node, seq)| (node.to_owned(), seq));
    assert_eq!(seen(&mut stream).await, expected);
    network.partition(&name("n1"), &name("n3"));
    one.linked(1).await;
    three.directory.mesh().events().publish(event("n3", 3));
    network.heal();
    one.linked(2).await;
    tokio::time::sleep(SECOND * 2).await;
    three.directory.mesh().events().publish(event("n3", 4));
    // The link was gone for a short time only: the conversation goes on with what has happened meanwhile.
    assert_eq!(seen(&mut stream).await, [3, 4].map(|seq| ("n3".to_owned(), seq)));
    drop(stream);
}

#[tokio::test(start_paused = true)]
async fn what_is_said_to_a_group_goes_to_at_most_five_other_members_on_any_node() {
    let (_network, nodes) = three().await;
    let group: AgentId = "web".parse().expect("a name");
    let count = Payload::of(&Count { text: String::new() }, Format::Binary).expect("encodes");
    let (mut members, mut sender) = (Vec::new(), None);
    for node in &nodes {
        let owned = (0..).map(|index| format!("a-{index}")).filter(|text| {
            let agent: AgentId = text.parse().expect("an agent");
            node.directory.owner_of(&agent).as_ref() == Some(node.directory.node())
        });
        for name in owned.take(3) {
            let agent: AgentId = name.parse().expect("an agent");
            let membership = node.endpoints.groups().join(group.clone(), agent.clone());
            sender.get_or_insert(agent);
            members.push((node.target(&name).await, membership));
        }
    }
    let sender = sender.expect("there are members");
    let heard = |members: &[(TargetHandle, _)]| members.iter().map(|(target, _)| target.counted()).sum::<u64>();
    let from = &nodes[2].directory;
    assert_eq!(from.members_of(&group).await.len(), 9, "three on each node");
    assert_eq!(from.tell_group(&group, Some(&sender), &count).await, Ok(5));
    tokio::time::sleep(SECOND).await;
    assert_eq!((heard(&members), members[0].0.counted()), (5, 0), "not to the sender");
    let before: Vec<u64> = members.iter().map(|(target, _)| target.counted()).collect();
    // From another node, and by the address: the same to the same ones, and to the first five.
    assert_eq!(
        nodes[0].directory.tell_group(&group, Some(&sender), &count).await,
        Ok(5)
    );
    tokio::time::sleep(SECOND).await;
    let again: Vec<u64> = members.iter().map(|(target, _)| target.counted()).collect();
    assert!(before.iter().zip(&again).all(|(before, again)| *again == 2 * before));
    nodes[1]
        .directory
        .tell(address("group:web"), count.clone())
        .await
        .expect("told");
    tokio::time::sleep(SECOND).await;
    assert_eq!(heard(&members), 15);
    assert_eq!(
        nodes[1].code("group:web").await,
        ErrorCode::Refused,
        "it answers nothing"
    );
    let nobody = from.tell(address("group:acme/web"), count.clone()).await;
    assert_eq!(nobody.expect_err("nobody is in it").code, ErrorCode::NotFound);
    // Whoever has left is left out once it is looked again.
    members.truncate(3);
    tokio::time::sleep(crate::groups::KNOWN_FOR).await;
    assert_eq!(from.tell_group(&group, Some(&sender), &count).await, Ok(2));
}
