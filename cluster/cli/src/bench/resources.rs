//! What this process takes of the machine, as Linux counts it.

/// Resident memory, in bytes.
pub fn resident_bytes() -> u64 {
    status_bytes("VmRSS:")
}

/// Computing time so far, in microseconds, in steps of 10,000.
pub fn computed_us() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name in parentheses may hold spaces; user and system time are the 12th and 13th field behind it, in 1/100 s.
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
    let ticks: Vec<f64> = fields.skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
    ticks.iter().sum::<f64>() * 1e4
}

/// The most memory that was resident at a time since its start.
#[derive(Debug)]
pub struct Peak {
    before: u64,
}

impl Peak {
    /// From now on.
    pub fn watch() -> Self {
        // Where the mark cannot be set back, the peak since the start of the process counts: more, never less.
        drop(std::fs::write("/proc/self/clear_refs", "5"));
        Self {
            before: resident_bytes(),
        }
    }

    /// The peak over what was resident at the start, in bytes.
    pub fn over_baseline(&self) -> u64 {
        status_bytes("VmHWM:").saturating_sub(self.before)
    }
}

fn status_bytes(key: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let kib = line.and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peak_is_seen_after_it_has_passed() {
        let peak = Peak::watch();
        let block = vec![1_u8; 64 << 20];
        let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
        drop(block);
        assert_eq!(sum, 64 << 20);
        assert!(peak.over_baseline() > 32 << 20, "{}", peak.over_baseline());
    }
}
