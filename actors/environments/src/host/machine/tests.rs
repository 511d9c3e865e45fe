//! One look at the real machine: shapes and ranges only.

use super::super::sampler::Sampler;
use super::super::{Host, HostSensors};
use super::*;
use rungs_agent::{Environment as _, Observed};
use std::cell::Cell;

/// The real machine after two readings of everything, one second apart by the schedule's clock.
fn look(probe: Option<RuntimeProbe>) -> (Host, Vec<f64>) {
    let machine = Machine::open(Path::new("."), probe).expect("a supported system");
    let (sampler, mut schedule) = Sampler::undriven(Box::new(machine)).expect("a valid plan");
    let mut host = Host::new(Arc::new(sampler));
    let clock = Cell::new(Duration::ZERO);
    let mut seen = vec![f64::NAN; host.describe().dimensions.len()];
    let mut row = seen.clone();
    for second in [0, 10] {
        clock.set(Duration::from_secs(second));
        schedule.tick(&|| clock.get());
        assert_eq!(host.observe(clock.get(), &mut row), Ok(Observed::Row));
        for (seen, value) in seen.iter_mut().zip(&row) {
            if value.is_finite() {
                *seen = *value;
            }
        }
    }
    (host, seen)
}

#[cfg(target_os = "linux")]
#[test]
fn this_machine_gives_finite_values_in_their_ranges() {
    let probe: RuntimeProbe = Arc::new(|| RuntimeReading {
        cycle_latency_ms: Some(1.5),
        mailbox_messages: Some(3.0),
    });
    let (host, seen) = look(Some(probe));
    let description = host.describe();
    assert!(
        description.adjustable && description.dimensions.len() >= 8,
        "{description:?}"
    );
    assert!(description.groups.len() >= 5, "{description:?}");
    for (dimension, value) in description.dimensions.iter().zip(&seen) {
        assert!(usize::from(dimension.group) < description.groups.len(), "{dimension:?}");
        assert!(value.is_finite() && *value >= 0.0, "{dimension:?} is {value}");
        assert!(
            dimension.capacity.is_none_or(|capacity| *value <= capacity),
            "{dimension:?} is {value}"
        );
    }
    let value = |name: &str| {
        seen[description
            .dimensions
            .iter()
            .position(|d| d.name == name)
            .expect("there")]
    };
    assert_eq!((value("cycle_latency"), value("mailbox_messages")), (1.5, 3.0));
    assert!(value("memory_used") > 1e6 && value("process_memory") > 1e5);
    let finite = |name: &str| {
        description
            .dimensions
            .iter()
            .any(|d| d.name == name && d.capacity.is_some())
    };
    assert!(finite("cpu_busy") && finite("memory_used") && finite("disk_used"));
}

#[test]
fn without_a_probe_the_nodes_own_dimensions_are_left_out() {
    let (host, _) = look(None);
    let names: Vec<&str> = host.describe().dimensions.iter().map(|d| d.name.as_str()).collect();
    assert!(
        !names.contains(&"cycle_latency") && !names.contains(&"mailbox_messages"),
        "{names:?}"
    );
    let sensors = HostSensors::machine(".", None);
    let described = sensors.environment().expect("a supported system");
    assert_eq!(described.describe(), host.describe());
}
