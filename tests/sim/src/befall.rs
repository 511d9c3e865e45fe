//! Faults, carried out; and their end.

use crate::faults::Fault;
use crate::options::Clocks;
use crate::world::{Event, World};
use rungs_directory::membership::{Identity, Input, MemberState, Membership, Predecessor, Role, Timing, operate};
use rungs_directory::placement::Zone;
use rungs_types::{Incarnation, NodeId};

impl World {
    fn start(&mut self, index: usize, knows: bool) {
        let is_over = self.nodes[index].machine.as_ref().is_some_and(Membership::is_over);
        if self.nodes[index].boot.is_some() && !is_over {
            return;
        }
        let identity = Identity {
            node: NodeId {
                name: self.nodes[index].name.clone(),
                incarnation: Incarnation(self.now_ms + 1),
            },
            role: Role::Voter,
            zone: Zone::default(),
            weight: 1,
            address: None,
        };
        let predecessor = match knows {
            true => Predecessor::Ended,
            false => Predecessor::Unknown,
        };
        let machine = Membership::new(identity, Timing::DEFAULT, predecessor);
        self.nodes[index].restart(Some(machine.expect("the times of a cluster are right")));
        let boot = self.nodes[index].boots;
        self.after(0, Event::Tick { node: index, boot });
    }

    pub(crate) fn befall(&mut self, fault: Fault) {
        self.log(|| format!("{fault:?}"));
        let count = self.nodes.len();
        match fault {
            Fault::Split(group, on) => {
                let side = |index: usize| group >> index & 1;
                for (a, b) in (0..count).flat_map(|a| (0..count).map(move |b| (a, b))) {
                    if side(a) != side(b) {
                        self.network.block(a, b, on);
                    }
                }
            }
            Fault::OneWay(from, to, on) => self.network.block(from, to, on),
            Fault::Slow(node, on) => self.network.slow(node, on),
            Fault::Noise(loss, double, late) => {
                self.network.loss_percent = loss;
                self.network.double_percent = double;
                self.network.late_percent = late;
            }
            Fault::Crash(node) => self.nodes[node].restart(None),
            Fault::Start(node, knows) => self.start(node, knows),
            Fault::Pause(node, ms) => self.pause(node, ms),
            Fault::Leave(node) => self.tell(node, Input::Leave),
            Fault::Drain(node, on) => {
                let name = self.nodes[node].name.clone();
                let proposal = match on {
                    true => operate::drain(&self.store.view, &name),
                    false => operate::undrain(&self.store.view, &name),
                };
                if let Ok(proposal) = proposal {
                    let answer = self.store.propose(self.now_ms, &proposal, &mut self.witness);
                    self.committed(node, &proposal, answer);
                }
            }
        }
    }

    /// A process stands still. Beyond the bound so does its clock, as on a machine that sleeps and counts no sleep.
    fn pause(&mut self, index: usize, ms: u64) {
        let node = &mut self.nodes[index];
        if node.boot.is_none() || node.paused_until_ms > self.now_ms {
            return;
        }
        node.paused_until_ms = self.now_ms + ms;
        if self.options.clocks == Clocks::Beyond {
            node.clock.lost_ms += ms;
        }
    }

    fn resume(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        let left_ms = node.paused_until_ms.saturating_sub(self.now_ms);
        node.paused_until_ms = 0;
        // What it did not sleep it has not lost.
        node.clock.lost_ms = node.clock.lost_ms.saturating_sub(left_ms);
    }

    pub(crate) fn heal(&mut self) {
        self.log(|| "everything works again".to_owned());
        self.network.heal();
        for index in 0..self.nodes.len() {
            self.resume(index);
            self.start(index, true);
            let is_draining = {
                let row = self.store.view.members.get(&self.nodes[index].name);
                row.is_some_and(|row| row.state == MemberState::Draining)
            };
            if is_draining {
                self.befall(Fault::Drain(index, false));
            }
        }
    }
}
