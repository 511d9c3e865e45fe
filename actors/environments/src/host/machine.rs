//! The sensors of this machine and this process, through `sysinfo`.
//!
//! What the operating system does not give is left out of the plan when the source is opened, so that no agent waits
//! for a dimension that never comes. Capacities are those at that time; in a container the memory is the container's.

mod flow;
mod quantity;

use super::source::{Sensor, SensorError, SensorGroup, SensorPlan, SensorSource};
use flow::Flow;
use quantity::{GROUPS, Quantity};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use sysinfo::{
    DiskRefreshKind, Disks, NetworkData, Networks, Pid, Process, ProcessRefreshKind, ProcessesToUpdate, System,
};

/// The name in descriptions and errors.
pub(super) const NAME: &str = "host";
/// What a node tells of itself; `None` where it does not know.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RuntimeReading {
    /// How long a recent agent cycle took, in milliseconds, 0 or more.
    pub cycle_latency_ms: Option<f64>,
    /// Messages that wait in the mailboxes of the node's actors, 0 or more.
    pub mailbox_messages: Option<f64>,
}

/// Asks the node about itself. It is called from the sampler's thread and must not block it for long.
pub type RuntimeProbe = Arc<dyn Fn() -> RuntimeReading + Send + Sync>;

/// This machine.
pub(super) struct Machine {
    plan: SensorPlan,
    /// The quantities of each group, in the order of the plan.
    quantities: Vec<Arc<[Quantity]>>,
    probe: Option<RuntimeProbe>,
    system: System,
    /// The first CPU reading would be the average since boot.
    cpu_primed: bool,
    disks: Disks,
    /// Where the file system of the data directory is mounted.
    mount_point: Option<PathBuf>,
    disk_flow: Flow,
    networks: Networks,
    network_flow: Flow,
    pid: Option<Pid>,
}

impl Machine {
    /// Looks at what there is. `data_dir` says which disk is meant.
    pub(super) fn open(data_dir: &Path, probe: Option<RuntimeProbe>) -> Result<Self, SensorError> {
        let unreadable = |error: sysinfo::Error| SensorError::Unreadable {
            what: NAME.to_owned(),
            reason: error.to_string(),
        };
        let mut machine = Self {
            plan: SensorPlan {
                name: NAME.to_owned(),
                groups: Vec::new(),
                sensors: Vec::new(),
            },
            quantities: Vec::new(),
            probe,
            system: System::new().map_err(unreadable)?,
            cpu_primed: false,
            disks: Disks::new().map_err(unreadable)?,
            mount_point: None,
            disk_flow: Flow::default(),
            networks: Networks::new().map_err(unreadable)?,
            network_flow: Flow::default(),
            pid: sysinfo::get_current_pid().ok(),
        };
        machine.refresh_all();
        machine.mount_point = mount_point(&machine.disks, data_dir);
        machine.make_plan();
        Ok(machine)
    }

    fn refresh_all(&mut self) {
        self.system.refresh_cpu_usage();
        self.system.refresh_memory();
        self.refresh_disks();
        self.networks.refresh(true);
        self.refresh_process();
    }

    fn refresh_disks(&mut self) {
        let kind = DiskRefreshKind::nothing().with_storage().with_io_usage();
        self.disks.refresh_specifics(true, kind);
    }

    fn refresh_process(&mut self) {
        let Some(pid) = self.pid else { return };
        let kind = ProcessRefreshKind::nothing().with_cpu().with_memory().without_tasks();
        self.system
            .refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, kind);
    }

    fn process(&self) -> Option<&Process> {
        self.pid.and_then(|pid| self.system.process(pid))
    }

    /// The disk that holds the data directory.
    fn disk(&self) -> Option<&sysinfo::Disk> {
        let mount_point = self.mount_point.as_deref()?;
        self.disks.iter().find(|disk| disk.mount_point() == mount_point)
    }

    /// Memory in use and in all, in bytes. Of a container's memory only the resident set counts: its page cache fills
    /// whatever is left, and is given back when needed.
    fn memory(&self) -> (u64, u64) {
        let (used, total) = (self.system.used_memory(), self.system.total_memory());
        match self.system.cgroup_limits() {
            Some(limits) if limits.total_memory > 0 && limits.total_memory < total => (limits.rss, limits.total_memory),
            _ => (used, total),
        }
    }

    fn make_plan(&mut self) {
        for table in GROUPS {
            let there: Vec<_> = table
                .quantities
                .iter()
                .filter(|(quantity, ..)| self.has(*quantity))
                .collect();
            if there.is_empty() {
                continue;
            }
            let group = u16::try_from(self.plan.groups.len()).expect("at most 6 groups");
            self.plan.groups.push(SensorGroup {
                name: table.name.to_owned(),
                period: Duration::from_millis(table.period_ms),
                fastest: Duration::from_millis(table.fastest_ms),
            });
            for (quantity, name, unit, kind) in &there {
                let capacity = self.capacity(*quantity);
                self.plan.sensors.push(Sensor {
                    name: (*name).to_owned(),
                    unit: (*unit).to_owned(),
                    group,
                    kind: *kind,
                    capacity,
                });
            }
            self.quantities
                .push(there.iter().map(|(quantity, ..)| *quantity).collect());
        }
    }

    /// Whether this machine gives it.
    fn has(&self, quantity: Quantity) -> bool {
        match quantity {
            Quantity::CpuBusy => !self.system.cpus().is_empty(),
            // Windows has no load average; `sysinfo` simulates one.
            Quantity::Load1m => cfg!(not(windows)) && System::load_average().is_ok(),
            Quantity::MemoryUsed => self.memory().1 > 0,
            Quantity::DiskUsed => self.disk().is_some_and(|disk| disk.total_space() > 0),
            // Where the kernel keeps no statistics of a device, they stay 0.
            Quantity::DiskRead | Quantity::DiskWritten => self.disks.iter().any(|disk| {
                let usage = disk.usage();
                usage.total_read_bytes > 0 || usage.total_written_bytes > 0
            }),
            Quantity::NetworkReceived | Quantity::NetworkSent => {
                self.networks.iter().any(|(name, data)| !is_loopback(name, data))
            }
            Quantity::ProcessCpu | Quantity::ProcessMemory => self.process().is_some(),
            Quantity::CycleLatency | Quantity::MailboxMessages => self.probe.is_some(),
        }
    }

    /// How much of it there is, if it is a finite resource.
    fn capacity(&self, quantity: Quantity) -> Option<f64> {
        match quantity {
            Quantity::CpuBusy => Some(100.0),
            Quantity::MemoryUsed => Some(self.memory().1 as f64),
            Quantity::DiskUsed => self.disk().map(|disk| disk.total_space() as f64),
            _ => None,
        }
    }

    /// Fetches what the quantities of a group are read from.
    fn refresh(&mut self, any_of_group: Quantity) {
        match any_of_group {
            Quantity::CpuBusy => self.system.refresh_cpu_usage(),
            Quantity::Load1m => {}
            Quantity::MemoryUsed => self.system.refresh_memory(),
            Quantity::DiskUsed | Quantity::DiskRead | Quantity::DiskWritten => {
                self.refresh_disks();
                let usage = |disk: &sysinfo::Disk| {
                    let usage = disk.usage();
                    [usage.total_read_bytes, usage.total_written_bytes]
                };
                let disks = self.disks.iter().map(|disk| (disk.name(), usage(disk)));
                self.disk_flow.update(disks);
            }
            Quantity::NetworkReceived | Quantity::NetworkSent => {
                self.networks.refresh(true);
                let outside = self.networks.iter().filter(|(name, data)| !is_loopback(name, data));
                let totals = |data: &NetworkData| [data.total_received(), data.total_transmitted()];
                self.network_flow
                    .update(outside.map(|(name, data)| (name.as_os_str(), totals(data))));
            }
            Quantity::ProcessCpu | Quantity::ProcessMemory | Quantity::CycleLatency | Quantity::MailboxMessages => {
                self.refresh_process();
            }
        }
    }

    fn value(&self, quantity: Quantity, runtime: RuntimeReading) -> Option<f64> {
        match quantity {
            Quantity::CpuBusy => self.cpu_primed.then(|| f64::from(self.system.global_cpu_usage())),
            Quantity::Load1m => System::load_average().ok().map(|load| load.one),
            Quantity::MemoryUsed => Some(self.memory().0 as f64),
            // What is kept back for the superuser is used, too: it is exhausted when nothing is left for us.
            Quantity::DiskUsed => self
                .disk()
                .map(|disk| disk.total_space().saturating_sub(disk.available_space()) as f64),
            Quantity::DiskRead => Some(self.disk_flow.totals[0] as f64),
            Quantity::DiskWritten => Some(self.disk_flow.totals[1] as f64),
            Quantity::NetworkReceived => Some(self.network_flow.totals[0] as f64),
            Quantity::NetworkSent => Some(self.network_flow.totals[1] as f64),
            // Milliseconds of a core in a second are tenths of a percent.
            Quantity::ProcessCpu => self
                .process()
                .map(|process| process.accumulated_cpu_time() as f64 / 10.0),
            Quantity::ProcessMemory => self.process().map(|process| process.memory() as f64),
            Quantity::CycleLatency => runtime.cycle_latency_ms,
            Quantity::MailboxMessages => runtime.mailbox_messages,
        }
    }
}

impl SensorSource for Machine {
    fn plan(&self) -> &SensorPlan {
        &self.plan
    }

    fn read(&mut self, group: u16, readings: &mut [f64]) -> Result<(), SensorError> {
        let quantities = Arc::clone(&self.quantities[usize::from(group)]);
        self.refresh(quantities[0]);
        let asks_node = quantities.contains(&Quantity::CycleLatency);
        let runtime = self
            .probe
            .as_ref()
            .filter(|_| asks_node)
            .map_or_else(RuntimeReading::default, |probe| probe());
        for (reading, quantity) in readings.iter_mut().zip(&*quantities) {
            *reading = self.value(*quantity, runtime).unwrap_or(f64::NAN);
        }
        self.cpu_primed |= quantities.contains(&Quantity::CpuBusy);
        Ok(())
    }
}

/// The longest mount point above a path.
fn mount_point(disks: &Disks, path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    let path = path.canonicalize().unwrap_or(path);
    let above = disks
        .iter()
        .map(sysinfo::Disk::mount_point)
        .filter(|mount| path.starts_with(mount));
    above.max_by_key(|mount| mount.components().count()).map(Path::to_owned)
}

fn is_loopback(name: &OsStr, data: &NetworkData) -> bool {
    name == "lo" || data.ip_networks().iter().any(|network| network.addr.is_loopback())
}

#[cfg(test)]
mod tests;
