//! What can be built, and what is refused.

use super::*;
use rungs_agent::{Command, Dimension, Observed};
use rungs_types::AgentName;
use std::time::Duration;

/// A user's own environment that is whatever its description says.
struct Own(Description);

impl Environment for Own {
    fn describe(&self) -> &Description {
        &self.0
    }

    fn observe(&mut self, _now: Duration, row: &mut [f64]) -> Result<Observed, EnvironmentError> {
        row.fill(1.0);
        Ok(Observed::Row)
    }

    fn act(&mut self, _command: Command) -> Result<(), EnvironmentError> {
        Ok(())
    }
}

fn description(dimensions: usize, group: u16, capacity: Option<f64>) -> Description {
    let dimension = Dimension {
        name: "x".to_owned(),
        unit: String::new(),
        group,
        capacity,
    };
    Description {
        name: "own".to_owned(),
        dimensions: vec![dimension; dimensions],
        groups: vec!["g".to_owned()],
        adjustable: false,
    }
}

fn environments() -> Environments {
    Environments::new(HostSensors::machine(".", None))
}

fn agent() -> AgentId {
    AgentId::of_default_tenant(AgentName::new("ops-1").expect("valid"))
}

fn build(environments: &Environments, spec: &EnvironmentSpec) -> Result<Description, String> {
    let built = environments.build(spec, &agent());
    built
        .map(|environment| environment.describe().clone())
        .map_err(|error| error.to_string())
}

fn custom(name: &str) -> EnvironmentSpec {
    EnvironmentSpec::Custom { name: name.to_owned() }
}

fn trace(path: impl Into<String>) -> EnvironmentSpec {
    EnvironmentSpec::Trace { path: path.into() }
}

#[test]
fn every_kind_of_specification_is_built() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("a.csv");
    std::fs::write(&path, "time,a\n0,1\n").expect("written");
    let path = path.to_str().expect("UTF-8").to_owned();
    let mut environments = environments();
    let own: Factory = Arc::new(|agent| {
        let mut own = description(2, 0, Some(1.0));
        own.name = agent.to_string();
        Ok(Box::new(Own(own)))
    });
    environments.register("own", own).expect("a new name");
    let cases = [
        (EnvironmentSpec::Host, "host"),
        (EnvironmentSpec::Sim { dimensions: 3, seed: 1 }, "sim"),
        (EnvironmentSpec::Scenario(SimSpec::new(2, 1)), "sim"),
        (trace(&path), "a"),
        (EnvironmentSpec::Playback { path, speed: 1.0 }, "a"),
        (custom("own"), &agent().to_string()),
    ];
    for (spec, name) in cases {
        assert_eq!(build(&environments, &spec).expect("built").name, name);
    }
}

#[test]
fn a_specification_out_of_range_is_refused_before_anything_is_opened() {
    let error = build(&environments(), &EnvironmentSpec::Sim { dimensions: 0, seed: 1 }).expect_err("no dimension");
    assert!(
        error.ends_with("environment.dimensions is 0; expected 1 to 64"),
        "{error}"
    );
}

#[test]
fn a_name_that_nobody_registered_is_refused() {
    let error = build(&environments(), &custom("own")).expect_err("unknown");
    assert_eq!(error, "own: no environment is registered under this name");
    let error = build(&environments(), &custom("Own")).expect_err("not a name");
    assert!(error.contains("'O' at position 1"), "{error}");
}

#[test]
fn a_name_is_registered_once_and_only_so_many() {
    let own: Factory = Arc::new(|_| Ok(Box::new(Own(description(1, 0, None)))));
    let mut environments = environments();
    assert!(matches!(
        environments.register("", own.clone()),
        Err(RegisterError::Name(_))
    ));
    for index in 0..MAX_CUSTOM {
        assert_eq!(environments.register(&format!("e{index}"), own.clone()), Ok(()));
    }
    let taken = environments.register("e0", own.clone()).expect_err("taken").to_string();
    assert_eq!(taken, "an environment is registered as e0 already; expected a new name");
    assert_eq!(environments.register("one-more", own), Err(RegisterError::Full));
}

#[test]
fn what_a_program_registers_must_be_an_environment_too() {
    let refusal = |described: Description| {
        let mut environments = environments();
        let own: Factory = Arc::new(move |_| Ok(Box::new(Own(described.clone()))));
        environments.register("own", own).expect("a new name");
        build(&environments, &custom("own")).expect_err("refused")
    };
    assert_eq!(refusal(description(0, 0, None)), "own: 0 dimensions; expected 1 to 64");
    assert_eq!(
        refusal(description(65, 0, None)),
        "own: 65 dimensions; expected 1 to 64"
    );
    assert_eq!(
        refusal(description(1, 1, None)),
        "own: x is in group 1; expected one of 1 groups"
    );
    for capacity in [0.0, -1.0, f64::NAN] {
        assert!(refusal(description(1, 0, Some(capacity))).starts_with("own: x has capacity"));
    }
}

#[test]
fn recordings_stay_under_their_root() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let root = directory.path().join("traces");
    std::fs::create_dir(&root).expect("created");
    for path in [directory.path().join("secret.csv"), root.join("a.csv")] {
        std::fs::write(path, "a\n1\n").expect("written");
    }
    let environments = environments().traces_under(&root);
    assert_eq!(build(&environments, &trace("a.csv")).expect("inside").name, "a");
    assert_eq!(
        build(&environments, &trace(".")).expect("the root itself").groups,
        ["a"]
    );
    let absolute = directory.path().join("secret.csv").to_str().expect("UTF-8").to_owned();
    for outside in ["../secret.csv", "../traces/../secret.csv", &absolute] {
        let error = build(&environments, &trace(outside)).expect_err("outside");
        assert!(error.ends_with("outside the directory of recordings"), "{error}");
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(directory.path().join("secret.csv"), root.join("link.csv")).expect("linked");
        let error = build(&environments, &trace("link.csv")).expect_err("outside");
        assert!(error.ends_with("outside the directory of recordings"), "{error}");
        assert_eq!(
            build(&environments, &trace(".")).expect("without the link").groups,
            ["a"]
        );
    }
}
