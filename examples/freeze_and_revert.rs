//! A level falls and climbs: a phase of L4.8 is made to panic, the level is frozen and reverted, the levels below go
//! on without a missed cycle, and it earns its authority back step by step.
//!
//! `cargo run -p rungs-examples --example freeze_and_revert`

use rungs::prelude::*;

#[tokio::main]
async fn main() -> rungs::Result<()> {
    let data = tempfile::tempdir()?;
    let node = Node::builder().data_dir(data.path()).allow_faults().start().await?;
    let mut events = node.watch(EventFilter::default()).await?;
    let mut spec = AgentSpec::new("ops-1".parse()?);
    spec.environment = EnvironmentSpec::Sim { dimensions: 8, seed: 7 };
    spec.rate_hz = 200.0;
    let agent = node.spawn(spec).await?;
    let mut broken = false;
    while let Some(watched) = events.recv().await {
        let Watched::Event(event) = watched else { continue };
        println!("{}", event_line(&event, false));
        if !matches!(
            event.kind,
            EventKind::Authority {
                to: Authority::Full,
                ..
            }
        ) {
            continue;
        }
        if broken {
            break;
        }
        broken = true;
        println!("breaking ops-1#l48/observe");
        node.inject_panic("ops-1#l48/observe")?;
    }
    let status = agent.status();
    println!(
        "{} cycles, {} late, {} freeze",
        status.cycles, status.late_cycles, status.freezes
    );
    node.shutdown().await
}
