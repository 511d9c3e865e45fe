//! A long recording is read in the memory of a short one. A test file of its own: the peak is the whole process's.
#![cfg(target_os = "linux")]

use rungs_agent::{Environment as _, Observed};
use rungs_environments::Trace;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::time::Duration;

const FILE_MIB: usize = 64;
/// What reading may add to the peak: the buffer, the longest line, and the allocator's slack.
const GROWTH_LIMIT_KIB: u64 = 2048;

/// The most memory this process ever had resident, in KiB.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("a Linux process has a status");
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .expect("a peak");
    peak.trim().trim_end_matches(" kB").parse().expect("a number of KiB")
}

fn write_recording(path: &Path) -> u64 {
    let mut file = BufWriter::new(File::create(path).expect("created"));
    file.write_all(b"timestamp,a,b,c,d\n").expect("written");
    let block: String = (0..1000)
        .map(|row| format!("2013-07-04 00:00:00,{row}.25,{},-{row}e-3,\n", row * 7919))
        .collect();
    let blocks = FILE_MIB * 1024 * 1024 / block.len();
    for _ in 0..blocks {
        file.write_all(block.as_bytes()).expect("written");
    }
    file.flush().expect("written");
    blocks as u64 * 1000
}

#[test]
fn a_file_of_64_mib_is_read_in_less_than_2_mib() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("long.csv");
    let written = write_recording(&path);
    let before = peak_kib();
    let mut trace = Trace::open(&path).expect("good");
    let mut row = [0.0; 4];
    let mut read = 0;
    while trace.observe(Duration::ZERO, &mut row).expect("good") == Observed::Row {
        read += 1;
        assert!(row[0].is_finite() && row[3].is_nan());
    }
    assert_eq!((read, trace.bad_rows()), (written, 0));
    let growth = peak_kib() - before;
    assert!(growth < GROWTH_LIMIT_KIB, "{growth} KiB");
}
