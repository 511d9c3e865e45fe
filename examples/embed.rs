//! An agent that watches an environment of your own: a kettle, and the room that it warms. Its forecasts are read while
//! it learns.
//!
//! `cargo run -p rungs-examples --example embed`

use rungs::prelude::*;
use std::time::Duration;

struct Kettle {
    description: Description,
    time: f64,
}

fn kettle() -> Kettle {
    let dimensions = vec![Dimension::new("water", "°C", 0), Dimension::new("room", "°C", 1)];
    let description = Description::new("kettle", &["kettle", "room"], dimensions);
    Kettle { description, time: 0.0 }
}

impl Environment for Kettle {
    fn describe(&self) -> &Description {
        &self.description
    }

    fn observe(&mut self, _now: Duration, row: &mut [f64]) -> Result<Observed, EnvironmentError> {
        self.time += 0.05;
        row.copy_from_slice(&[60.0 + 30.0 * self.time.sin(), 21.0 + (self.time / 4.0).sin()]);
        Ok(Observed::Row)
    }

    fn act(&mut self, _command: Command) -> Result<(), EnvironmentError> {
        let reason = "it can only be watched".to_owned();
        Err(EnvironmentError::NotApplicable {
            environment: "kettle".to_owned(),
            reason,
        })
    }
}

#[tokio::main]
async fn main() -> rungs::Result<()> {
    let data = tempfile::tempdir()?;
    let builder = Node::builder().data_dir(data.path());
    let node = builder.environment("kettle", |_| Ok(kettle())).start().await?;
    let mut spec = AgentSpec::new("tea".parse()?);
    spec.environment = EnvironmentSpec::Custom { name: "kettle".into() };
    spec.rate_hz = 500.0;
    let agent = node.spawn(spec).await?;
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let error = agent.status().forecast_ratio;
        println!(
            "cycle {}: forecast error relative to persistence {error:?}",
            agent.cycle()
        );
    }
    println!("last forecast: {:?}", node.call("tea", &GetForecast {}).await?);
    node.shutdown().await
}
