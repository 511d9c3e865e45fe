//! P9: from a phase's panic to the lower level in charge, and what L3 notices of it.

use super::agents::{AgentHost, cycle};
use super::progress::Progress;
use super::report::{Figure, Target, median, median_of};
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use rungs_agent::AgentHandle;
use rungs_host::faults::Fault;
use rungs_host::{Delivered, Handle, Mailbox};
use rungs_types::{AgentId, AgentSpec, Authority, Level};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Freezes of which the median is shown.
const FREEZES: usize = 100;
/// Pairs of runs, with and without a freeze, and how many of them run at the same time: what else the machine does is
/// then the same for both kinds.
const PAIRS: usize = 20;
const PAIRS_AT_ONCE: usize = 2;
/// Cycles before and after the freeze.
const CYCLES_AROUND: usize = 500;
/// Cycles per second of the agents, as `rungs up` chooses. Timers count milliseconds: at 50 Hz one is 0.05 periods.
const RATE_HZ: f64 = 50.0;
/// Cycles of an agent before it is promoted.
const WARM_UP: u64 = 20;
const DEADLINE: Duration = Duration::from_secs(10);

/// When the last panic of this process was, for as long as its value lives. Panics are not printed meanwhile.
struct Panics(Arc<Mutex<Option<Instant>>>);

impl Panics {
    fn watch() -> Self {
        let last = Arc::default();
        let seen: Arc<Mutex<Option<Instant>>> = Arc::clone(&last);
        std::panic::set_hook(Box::new(move |_| {
            *seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }));
        Self(last)
    }

    fn take(&self) -> anyhow::Result<Instant> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        last.ok_or_else(|| anyhow::anyhow!("the actor did not panic"))
    }
}

impl Drop for Panics {
    fn drop(&mut self) {
        drop(std::panic::take_hook());
    }
}

/// An agent whose Level 4.8 has full authority.
async fn at_full(host: &AgentHost, name: &str) -> anyhow::Result<AgentHandle> {
    let spec = AgentSpec {
        rate_hz: RATE_HZ,
        ..AgentSpec::new(name.parse()?)
    };
    let agent = host.hosts.spawn(spec).await?;
    cycle(&agent, WARM_UP).await;
    agent.authority(Level::L48, Authority::Full, "bench").await?;
    Ok(agent)
}

fn break_phase(host: &AgentHost, agent: &AgentId) -> anyhow::Result<()> {
    host.faults
        .inject(format!("{agent}#l48/verify").parse()?, Fault::Panic)?;
    Ok(())
}

/// From the panic to the moment at which the authority says `Frozen`, in microseconds, as a thread of its own sees it.
async fn freeze_us(host: &AgentHost, panics: &Panics, name: &str) -> anyhow::Result<f64> {
    let agent = at_full(host, name).await?;
    let watched = agent.clone();
    let deadline = Instant::now() + DEADLINE;
    let watch = tokio::task::spawn_blocking(move || {
        loop {
            let now = Instant::now();
            if watched.authorities()[Level::L48.index()] == Authority::Frozen {
                return Some(now);
            }
            if now > deadline {
                return None;
            }
            std::thread::yield_now();
        }
    });
    break_phase(host, agent.id())?;
    let frozen = watch.await?.ok_or_else(|| anyhow::anyhow!("{name} does not freeze"))?;
    let panicked = panics.take()?;
    host.hosts.stop(agent.id()).await?;
    Ok(frozen.saturating_duration_since(panicked).as_secs_f64() * 1e6)
}

/// The baseline: a supervisor as ractor has it, which notes when it learns of its child's end.
struct Supervisor {
    learned: mpsc::Sender<Instant>,
}

impl Actor for Supervisor {
    type Msg = Delivered<()>;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Self::Msg>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        if matches!(event, SupervisionEvent::ActorFailed(..)) {
            self.learned.send(Instant::now()).await?;
        }
        Ok(())
    }
}

struct Child;

impl Actor for Child {
    type Msg = Delivered<()>;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Self::Msg>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(&self, _: ActorRef<Self::Msg>, _: Self::Msg, (): &mut ()) -> Result<(), ActorProcessingErr> {
        panic!("injected")
    }
}

/// From the panic of a child to its supervisor, in microseconds.
async fn supervised_us(panics: &Panics) -> anyhow::Result<f64> {
    let (learned, mut moments) = mpsc::channel(1);
    let (supervisor, task) = Actor::spawn(None, Supervisor { learned }, ()).await?;
    let (child, _) = Actor::spawn_linked(None, Child, (), supervisor.get_cell()).await?;
    Handle::new(child, Mailbox::default()).tell(())?;
    let learned = tokio::time::timeout(DEADLINE, moments.recv()).await?;
    let learned = learned.ok_or_else(|| anyhow::anyhow!("the supervisor ended"))?;
    let panicked = panics.take()?;
    supervisor.stop(None);
    task.await?;
    Ok(learned.saturating_duration_since(panicked).as_secs_f64() * 1e6)
}

/// What L3 did in the cycles around.
struct Around {
    /// The largest gap between two cycles, in periods.
    largest_gap: f64,
    /// Ticks without a cycle.
    missed: f64,
}

async fn around(name: &str, freeze: bool) -> anyhow::Result<Around> {
    // A host of its own: the marks are those of one agent.
    let host = &AgentHost::start().await?;
    let agent = at_full(host, name).await?;
    let marks = || host.marks.lock().unwrap_or_else(PoisonError::into_inner);
    marks().clear();
    let from = agent.cycle();
    cycle(&agent, from + CYCLES_AROUND as u64).await;
    if freeze {
        break_phase(host, agent.id())?;
    }
    cycle(&agent, from + 2 * CYCLES_AROUND as u64).await;
    let cycles = std::mem::take(&mut *marks());
    let freezes = agent.status().freezes;
    anyhow::ensure!(freezes == u32::from(freeze), "{name} froze {freezes} times");
    host.hosts.stop(agent.id()).await?;
    let gaps = cycles
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).as_secs_f64() * RATE_HZ);
    Ok(Around {
        largest_gap: gaps.clone().fold(0.0, f64::max),
        missed: gaps.map(|periods| (periods.round() - 1.0).max(0.0)).sum(),
    })
}

/// Freezes agents one by one, each beside a supervised child; then runs with and without a freeze, side by side.
pub async fn measure(progress: &Progress) -> anyhow::Result<Vec<Figure>> {
    let panics = Panics::watch();
    let host = AgentHost::start().await?;
    let (mut freezes, mut supervised) = (Vec::new(), Vec::new());
    for index in 0..FREEZES {
        progress.say(&format!("freeze {} of {FREEZES}", index + 1));
        freezes.push(freeze_us(&host, &panics, &format!("freeze-{index}")).await?);
        supervised.push(supervised_us(&panics).await?);
    }
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for batch in 0..PAIRS / PAIRS_AT_ONCE {
        progress.say(&format!(
            "cycles around a freeze, {} of {PAIRS} pairs",
            batch * PAIRS_AT_ONCE
        ));
        let pairs = (0..PAIRS_AT_ONCE).map(|lane| async move {
            let (frozen, calm) = (format!("with-{batch}-{lane}"), format!("without-{batch}-{lane}"));
            tokio::try_join!(around(&frozen, true), around(&calm, false))
        });
        for (frozen, calm) in futures::future::try_join_all(pairs).await? {
            with.push(frozen);
            without.push(calm);
        }
    }
    let figure = |what, unit, baseline, target, values: [f64; 2]| Figure {
        id: "P9",
        what,
        value: values[0],
        unit,
        baseline,
        baseline_value: Some(values[1]),
        target,
    };
    let gaps = [&with, &without].map(|runs| median_of(runs, |around| around.largest_gap));
    // All of them: a median would hide what half of the runs missed.
    let missed = [&with, &without].map(|runs| runs.iter().map(|around| around.missed).sum());
    let charge = [median(freezes), median(supervised)];
    let calm = "no freeze";
    Ok(vec![
        figure(
            "panic to the lower level in charge, p50 of 100",
            "us",
            "ractor supervisor",
            Target::AtMost(1_000.0),
            charge,
        ),
        figure(
            "L3 ticks missed in 20 x 1,000 cycles around it",
            "",
            calm,
            Target::AtMost(0.0),
            missed,
        ),
        figure(
            "largest gap between L3 cycles around it",
            "periods",
            calm,
            Target::AtMost(1.1),
            gaps,
        ),
        figure(
            "the same, beside runs without a freeze",
            "periods",
            calm,
            Target::RatioAtMost(1.1),
            gaps,
        ),
    ])
}
