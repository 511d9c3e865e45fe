//! What the invariants miss and what they wrongly see, counted. `cargo run -p rungs-mind --example detection` counts
//! more of it and prints the tables that the modules' documentation quotes.

#[path = "detection/spectral.rs"]
mod spectral;
#[path = "detection/state.rs"]
mod state;

use state::Mode;

#[test]
fn a_healthy_state_raises_less_than_one_spectral_alarm_in_ten_thousand_cycles() {
    let rows = spectral::false_alarms(4);
    let (cycles, alarms) = rows
        .iter()
        .fold((0, 0), |sum, row| (sum.0 + row.cycles, sum.1 + row.alarms));
    spectral::print(&rows, &[]);
    assert_eq!(cycles, 100_000);
    assert!(alarms < 10, "{alarms} alarms in {cycles} cycles");
}

#[test]
fn a_planted_runaway_mode_is_found() {
    let rows = spectral::detections(50);
    spectral::print(&[], &rows);
    for row in rows
        .iter()
        .filter(|row| row.with_room && !(row.rho == 1.05 && row.mode == Mode::Real))
    {
        assert!(
            row.found_share() >= 0.8,
            "rho {} {:?}: found {}",
            row.rho,
            row.mode,
            row.found_share()
        );
    }
}
