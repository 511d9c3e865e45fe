//! What a machine can be asked for, in which groups and how often.

use super::super::source::SensorKind;

/// What can be in a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quantity {
    CpuBusy,
    Load1m,
    MemoryUsed,
    DiskUsed,
    DiskRead,
    DiskWritten,
    NetworkReceived,
    NetworkSent,
    ProcessCpu,
    ProcessMemory,
    CycleLatency,
    MailboxMessages,
}

/// A group of the machine, its periods in milliseconds, and its quantities with their names and units.
pub(super) struct GroupTable {
    pub(super) name: &'static str,
    pub(super) period_ms: u64,
    pub(super) fastest_ms: u64,
    pub(super) quantities: &'static [(Quantity, &'static str, &'static str, SensorKind)],
}

/// All groups. `sysinfo` does not update the CPU more often than each 200 ms, and the kernel the load each 5 s.
pub(super) const GROUPS: [GroupTable; 6] = [
    GroupTable {
        name: "cpu",
        period_ms: 250,
        fastest_ms: 200,
        quantities: &[(Quantity::CpuBusy, "cpu_busy", "percent", SensorKind::Gauge)],
    },
    GroupTable {
        name: "load",
        period_ms: 5000,
        fastest_ms: 5000,
        quantities: &[(Quantity::Load1m, "load_1m", "tasks", SensorKind::Gauge)],
    },
    GroupTable {
        name: "memory",
        period_ms: 500,
        fastest_ms: 125,
        quantities: &[(Quantity::MemoryUsed, "memory_used", "bytes", SensorKind::Gauge)],
    },
    GroupTable {
        name: "disk",
        period_ms: 500,
        fastest_ms: 250,
        quantities: &[
            (Quantity::DiskUsed, "disk_used", "bytes", SensorKind::Gauge),
            (Quantity::DiskRead, "disk_read", "bytes/s", SensorKind::Counter),
            (Quantity::DiskWritten, "disk_written", "bytes/s", SensorKind::Counter),
        ],
    },
    GroupTable {
        name: "network",
        period_ms: 500,
        fastest_ms: 250,
        quantities: &[
            (
                Quantity::NetworkReceived,
                "network_received",
                "bytes/s",
                SensorKind::Counter,
            ),
            (Quantity::NetworkSent, "network_sent", "bytes/s", SensorKind::Counter),
        ],
    },
    GroupTable {
        name: "process",
        period_ms: 500,
        fastest_ms: 125,
        quantities: &[
            (
                Quantity::ProcessCpu,
                "process_cpu",
                "percent of a core",
                SensorKind::Counter,
            ),
            (Quantity::ProcessMemory, "process_memory", "bytes", SensorKind::Gauge),
            (Quantity::CycleLatency, "cycle_latency", "ms", SensorKind::Gauge),
            (
                Quantity::MailboxMessages,
                "mailbox_messages",
                "messages",
                SensorKind::Gauge,
            ),
        ],
    },
];
