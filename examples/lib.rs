//! Examples of embedding Rungs, one file each: `embed` (an agent that watches something of yours), `own_actor` (an
//! actor of yours, called from another node) and `freeze_and_revert` (a level that falls and climbs).
