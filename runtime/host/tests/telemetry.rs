//! The process's subscriber, which can be set up once: a process of its own.

use rungs_host::telemetry::{DEFAULT_FILTER, LogFormat, Telemetry, TelemetryError};

#[test]
fn logging_is_set_up_once_and_its_filter_stays_changeable() {
    let refused = Telemetry::install(LogFormat::Json, "=").map(|_| ());
    assert!(matches!(refused, Err(TelemetryError::BadFilter { .. })), "{refused:?}");
    let telemetry = Telemetry::install(LogFormat::Json, "off").expect("the first");
    assert_eq!(telemetry.filter(), format!("{DEFAULT_FILTER},off"));
    let second = Telemetry::install(LogFormat::Text, "").map(|_| ());
    assert_eq!(second, Err(TelemetryError::AlreadyInstalled));
    assert!(!tracing::enabled!(tracing::Level::ERROR));
    telemetry.set("debug", None).expect("a level");
    assert!(tracing::enabled!(tracing::Level::DEBUG));
    assert!(!tracing::enabled!(tracing::Level::TRACE));
}
