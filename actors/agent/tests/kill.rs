//! A node with an agent at work on a goal is killed again and again. What the environment has seen, which is written down
//! beside the agent and apart from its own state, shows that no task was done twice; and the goal comes to its end.

use bytes::Bytes;
use rungs_agent::goals::GoalEntry;
use rungs_agent::{
    AgentRuntime, Command, Description, Dimension, Environment, EnvironmentError, Hosts, LocalPeers, Observed,
};
use rungs_host::clock::Clock;
use rungs_host::compute::ComputePool;
use rungs_host::faults::Faults;
use rungs_host::{Context, Endpoints, EventHub, Format, Payload, Refusal, Timers};
use rungs_store::{FileSnapshots, FileTaskLogs, Snapshots, TaskLogs};
use rungs_types::{AgentSpec, Level, NodeName};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command as Program, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// Set for the working process only: the folder of the node.
const FOLDER: &str = "RUNGS_TEST_AGENT_FOLDER";
/// Tasks of the goal, each about a group of its own.
const TASKS: u16 = 16;
/// Acts that are seen before each kill.
const ACTS_BEFORE_KILL: [usize; 6] = [1, 2, 1, 3, 2, 2];
/// Rows between two acts: the agent's budget pays for one in ten cycles.
const ROWS_BETWEEN_ACTS: u32 = 12;

/// What never changes, but for two dimensions: all tasks were done, and it is time for the next.
struct Witness {
    description: Description,
    file: File,
    seen: BTreeMap<u16, u32>,
    rows: u32,
}

impl Witness {
    fn open(folder: &Path) -> Self {
        let path = folder.join("witness");
        let dimension = |index: u16| Dimension {
            name: format!("d{index}"),
            unit: String::new(),
            group: index,
            capacity: None,
        };
        Self {
            seen: witnessed(&path),
            file: OpenOptions::new().create(true).append(true).open(path).expect("opens"),
            description: Description {
                name: "witness".into(),
                dimensions: (0..TASKS + 2).map(dimension).collect(),
                groups: (0..TASKS + 2).map(|group| format!("g{group}")).collect(),
                adjustable: true,
            },
            rows: 0,
        }
    }
}

impl Environment for Witness {
    fn describe(&self) -> &Description {
        &self.description
    }

    fn observe(&mut self, _: Duration, row: &mut [f64]) -> Result<Observed, EnvironmentError> {
        self.rows += 1;
        row.fill(0.0);
        let flag = |set: bool| f64::from(u8::from(set));
        row[usize::from(TASKS)] = flag(self.seen.len() == usize::from(TASKS));
        row[usize::from(TASKS) + 1] = flag(self.rows >= ROWS_BETWEEN_ACTS);
        Ok(Observed::Row)
    }

    fn act(&mut self, command: Command) -> Result<(), EnvironmentError> {
        match command {
            // Where nothing changes, the agent wants to look closer only for its tasks.
            Command::SampleFaster { group } if group < TASKS => {
                // In one piece: a kill leaves the line or nothing.
                let line = format!("{group}.\n");
                self.file.write_all(line.as_bytes()).expect("writes");
                *self.seen.entry(group).or_default() += 1;
                self.rows = 0;
                Ok(())
            }
            _ => Err(EnvironmentError::Broken {
                environment: "witness".into(),
                reason: "only the groups of tasks can be sampled".into(),
            }),
        }
    }
}

/// How often each group was acted on; the full stop shows that a line is whole.
fn witnessed(path: &Path) -> BTreeMap<u16, u32> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let mut seen = BTreeMap::new();
    for group in text.lines().filter_map(|line| line.strip_suffix('.')) {
        *seen.entry(group.parse().expect("a group")).or_default() += 1;
    }
    seen
}

fn goal() -> String {
    let at_least =
        |dimension: u16| format!(r#"{{"of": {{"dimension": {dimension}}}, "is": "at_least", "value": 1.0}}"#);
    let task = |group: u16| {
        let when = at_least(TASKS + 1);
        format!(
            r#"{{"name": "t{group}", "does": {{"sample_faster": {{"group": {group}}}}}, "retries": 5, "when": [{when}]}}"#
        )
    };
    let tasks: Vec<_> = (0..TASKS).map(task).collect();
    let success = at_least(TASKS);
    format!(
        r#"{{"spec": {{"goal": "all", "intent": "look everywhere", "success": {{"all": [{success}]}}, "tasks": [{}]}}}}"#,
        tasks.join(", ")
    )
}

async fn call(runtime: &AgentRuntime, kind: &'static str, json: &str) -> Result<String, Refusal> {
    let endpoint = runtime.endpoints.get(&"ops-1#kernel".parse().expect("an address"));
    let payload = Payload {
        kind: Cow::Borrowed(kind),
        version: 1,
        format: Format::Json,
        bytes: Bytes::copy_from_slice(json.as_bytes()),
    };
    let (reply, answer) = tokio::sync::oneshot::channel();
    endpoint
        .expect("there")
        .deliver(payload, Context::default(), Some(reply))?;
    let payload = answer.await.expect("answered")?;
    Ok(String::from_utf8(payload.bytes.to_vec()).expect("text"))
}

async fn goals(runtime: &AgentRuntime) -> Vec<GoalEntry> {
    let text = call(runtime, "goal.list", "{}").await.expect("answers");
    serde_json::from_str(&text).expect("goals")
}

/// Says something to the parent; one that is gone reads nothing any more.
fn say(text: &str) {
    drop(writeln!(std::io::stdout().lock(), "said {text}."));
}

/// Runs a node with the agent until its goal is over, or it is killed.
async fn work(folder: &Path) {
    let faults = Faults::off();
    let endpoints = Arc::new(Endpoints::new());
    let place = folder.to_owned();
    let runtime = Arc::new(AgentRuntime {
        node: NodeName::new("n1").expect("a name"),
        clock: Clock::system(),
        timers: Timers::start(),
        compute: ComputePool::start(1, Arc::clone(&faults), |_| {}).expect("threads"),
        faults,
        snapshots: Snapshots::new(FileSnapshots::open(&folder.join("snapshots")).expect("opens")),
        tasks: TaskLogs::new(FileTaskLogs::open(&folder.join("tasks")).expect("opens")),
        events: EventHub::default(),
        peers: Arc::new(LocalPeers::new(&endpoints)),
        endpoints,
        environments: Arc::new(move |_, _| Ok(Box::new(Witness::open(&place)))),
        decisions: Arc::default(),
        gate: rungs_host::LeaseGate::always_open(),
        max_agents: 1,
    });
    let hosts = Hosts::start(Arc::clone(&runtime), None).await.expect("starts");
    let spec = AgentSpec {
        rate_hz: 200.0,
        highest: Level::L45,
        ..AgentSpec::new("ops-1".parse().expect("a name"))
    };
    let agent = hosts.spawn(spec).await.expect("starts");
    let found = goals(&runtime).await.len();
    say(&format!("found {found}"));
    if found == 0 {
        call(&runtime, "goal.submit", &goal()).await.expect("set");
        say("acknowledged");
    }
    let mut events = agent.events();
    while goals(&runtime).await[0].state == "active" || goals(&runtime).await[0].state == "waiting" {
        events.next().await.expect("the node lives");
    }
    say(&goals(&runtime).await[0].state);
}

struct Worker {
    process: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Worker {
    fn start(folder: &Path) -> Self {
        let mut process = Program::new(std::env::current_exe().expect("this test"))
            .args([
                "no_task_is_done_twice_and_no_acknowledged_goal_is_lost_by_kill_9",
                "--exact",
                "--nocapture",
            ])
            .env(FOLDER, folder)
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        Self { process, lines }
    }

    /// What it says next.
    fn said(&mut self) -> String {
        loop {
            let line = self.lines.next().expect("it says something more").expect("text");
            // The test harness may have begun the line.
            if let Some((_, said)) = line.split_once("said ") {
                return said.trim_end_matches('.').to_owned();
            }
        }
    }

    fn kill(mut self) {
        self.process.kill().expect("kills");
        self.process.wait().expect("ends");
    }
}

#[test]
fn no_task_is_done_twice_and_no_acknowledged_goal_is_lost_by_kill_9() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build();
        return runtime.expect("a runtime").block_on(work(Path::new(&folder)));
    }
    let folder = tempfile::TempDir::new().expect("a folder");
    let witness = folder.path().join("witness");
    let acts = || witnessed(&witness).values().sum::<u32>() as usize;
    let mut worker = Worker::start(folder.path());
    assert_eq!(worker.said(), "found 0");
    assert_eq!(worker.said(), "acknowledged");
    worker.kill();
    for more in ACTS_BEFORE_KILL {
        let before = acts();
        let mut worker = Worker::start(folder.path());
        assert_eq!(worker.said(), "found 1", "it was acknowledged");
        // As close behind the act as can be: its outcome may be on its way to the log.
        while acts() < before + more {
            assert_eq!(worker.process.try_wait().expect("asked"), None, "it works on");
            std::thread::yield_now();
        }
        worker.kill();
    }
    let mut worker = Worker::start(folder.path());
    assert_eq!(worker.said(), "found 1");
    let end = worker.said();
    worker.process.wait().expect("ends");
    let seen = witnessed(&witness);
    assert!(seen.values().all(|times| *times == 1), "done twice: {seen:?}");
    let left_out = usize::from(TASKS) - seen.len();
    assert!(
        left_out <= ACTS_BEFORE_KILL.len(),
        "{left_out} tasks left out: {seen:?}"
    );
    if left_out == 0 {
        assert_eq!(end, "succeeded");
    } else {
        assert!(end.starts_with("failed: unknown whether task"), "{end}");
    }
}
