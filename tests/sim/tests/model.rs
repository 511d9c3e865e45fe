//! Every order of events of the lease protocol.
use stateright as _;
