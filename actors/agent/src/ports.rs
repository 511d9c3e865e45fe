//! What an agent needs of whoever hosts it, as traits: so far, a way to other agents. The node implements it over the
//! directory; [`LocalPeers`] is for a program without a cluster.

use crate::messages::Say;
use rungs_host::{Context, Endpoints, Format, Payload, groups};
pub use rungs_mind::l49::peers::Recipients;
use rungs_types::peer::MAX_RECIPIENTS;
use rungs_types::{Address, AgentId, PeerMessage};
use std::sync::{Arc, Weak};

/// What an agent says, and to whom.
#[derive(Debug, Clone, PartialEq)]
pub struct Letter {
    /// Who says it.
    pub from: AgentId,
    /// To whom; a group is one of the sender's tenant.
    pub to: Recipients,
    /// What.
    pub message: PeerMessage,
}

impl Letter {
    /// It as it is delivered.
    pub fn payload(&self) -> Result<Payload, rungs_host::Refusal> {
        let say = Say {
            from: self.from.clone(),
            message: self.message.clone(),
        };
        Payload::of(&say, Format::Binary)
    }
}

/// Carries what agents say to each other. It never waits, and says nothing of whether a message arrived.
pub trait Peers: Send + Sync + 'static {
    /// Sends; false if there was no room, and the letter is dropped.
    fn send(&self, letter: Letter) -> bool;
}

/// The agents of this process, and no others.
#[derive(Debug, Clone)]
pub struct LocalPeers(Weak<Endpoints>);

impl LocalPeers {
    /// Carries to what is reachable here.
    pub fn new(endpoints: &Arc<Endpoints>) -> Self {
        Self(Arc::downgrade(endpoints))
    }
}

impl Peers for LocalPeers {
    fn send(&self, letter: Letter) -> bool {
        let (Some(endpoints), Ok(payload)) = (self.0.upgrade(), letter.payload()) else {
            return false;
        };
        let to = match letter.to {
            Recipients::Agents(agents) => agents,
            Recipients::Group(name) => {
                let members = endpoints.groups().members(&letter.from.beside(name), usize::MAX);
                groups::recipients(&members, Some(&letter.from), MAX_RECIPIENTS)
            }
        };
        let deliver = |agent: AgentId| {
            let endpoint = endpoints.get(&Address::from(agent))?;
            endpoint.deliver(payload.clone(), Context::default(), None).ok()
        };
        // All of them are tried, whoever has no room.
        to.into_iter().map(deliver).filter(Option::is_none).count() == 0
    }
}
