//! What every node is made of: the glue between ractor and everything else.
//!
//! It owns supervision, mailbox credits, the endpoints table, the codec, clock and ids, the timer wheel, the compute
//! pool, metering, injected faults and telemetry. It knows no agent, no level and no mesh, and never opens a socket.
//!
//! Start reading at [`delivered`] (the one message type), then [`wire`] and [`endpoints`] (what is reachable by name),
//! then [`supervisor`] (what happens when an actor fails), [`hosting`] (what surrounds an actor) and [`compute`] (where
//! what may spin runs). `tests/ractor.rs` states what all of it relies on in ractor.

pub mod clock;
pub mod codec;
pub mod compute;
pub mod delivered;
pub mod endpoints;
pub mod events;
pub mod faults;
pub mod groups;
pub mod hosting;
pub mod latency;
pub mod lease;
pub mod mailbox;
pub mod metering;
pub mod router;
pub mod supervisor;
pub mod tasks;
pub mod telemetry;
pub mod timer;
pub mod wire;

pub use clock::Clock;
pub use compute::{ComputeError, ComputePool, Job};
pub use delivered::{AskError, Caller, Context, Delivered, Handle, TellError};
pub use endpoints::{Endpoint, EndpointBuilder, Endpoints, KindDescription};
pub use events::{EventHub, EventStream, Watched};
pub use faults::{Fault, Faults};
pub use groups::{Groups, Membership};
pub use hosting::{Hosted, Hosting};
pub use latency::{Latencies, LatencyReading};
pub use lease::{LeaseGate, SteadyClock};
pub use mailbox::{Credit, Held, Mailbox, Overloaded, Window};
pub use metering::{Meter, MeterReading};
pub use router::{EventFilter, Router};
pub use supervisor::{Children, SupervisorActor, SupervisorHandle, TreeNode, TreeView};
pub use timer::{Tick, Timer, Timers};
pub use wire::{Format, Payload, Refusal, Reply, Request, Wire};
