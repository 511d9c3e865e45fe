//! What this process takes of the machine, as Linux counts it.

use anyhow::Context as _;

/// Resident memory, in bytes.
pub fn resident_bytes() -> anyhow::Result<u64> {
    status_bytes("VmRSS:")
}

/// Computing time so far, in microseconds, in steps of 10,000.
pub fn computed_us() -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").context("/proc/self/stat")?;
    // The name in parentheses may hold spaces; user and system time are the 12th and 13th field behind it, in 1/100 s.
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
    let ticks: Vec<f64> = fields.skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
    anyhow::ensure!(ticks.len() == 2, "/proc/self/stat has no user and system time");
    Ok(ticks.iter().sum::<f64>() * 1e4)
}

/// The most memory that was resident at a time since its start.
#[derive(Debug)]
pub struct Peak {
    before: u64,
}

impl Peak {
    /// From now on.
    pub fn watch() -> anyhow::Result<Self> {
        // Where the mark cannot be set back, the peak since the start of the process counts: more, never less.
        drop(std::fs::write("/proc/self/clear_refs", "5"));
        Ok(Self {
            before: resident_bytes()?,
        })
    }

    /// The peak over what was resident at the start, in bytes.
    pub fn over_baseline(&self) -> anyhow::Result<u64> {
        Ok(status_bytes("VmHWM:")?.saturating_sub(self.before))
    }
}

fn status_bytes(key: &str) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").context("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let kib = line.and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    Ok(kib.with_context(|| format!("/proc/self/status has no {key}"))? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peak_is_seen_after_it_has_passed() {
        let peak = Peak::watch().expect("it is there");
        let block = vec![1_u8; 64 << 20];
        let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
        drop(block);
        assert_eq!(sum, 64 << 20);
        let over = peak.over_baseline().expect("it is there");
        assert!(over > 32 << 20, "{over}");
    }
}
