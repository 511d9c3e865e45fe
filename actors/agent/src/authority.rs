//! The authority cell: how much of what each level says has an effect, as atomics that the kernel reads at the start of
//! each cycle. A freeze is in force with one store, without waiting for a mailbox.
//!
//! What an authority should be is decided in `rungs_mind::ladder`. One governor per agent writes it here; everyone else
//! has an [`AuthorityReader`].
//!
//! Invariants:
//! 1. The authority that is read never exceeds that of any level below, whatever was stored and in whatever order.
//! 2. L3 is always `Full`: no operation can change it.
//! 3. A freeze raises the epoch of the level and of every level above; what they said before is stale for ever.
//! 4. A level above does not come back by itself when the level below is given back its authority.

use rungs_types::{Authority, Epoch, Level};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bits of a slot that hold the authority; the epoch is in the rest.
const AUTHORITY_BITS: u32 = 8;

/// A level's authority and epoch, read in one load.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// The authority.
    pub authority: Authority,
    /// The epoch; advice of an older one is ignored.
    pub epoch: Epoch,
}

#[derive(Debug)]
struct Cell([AtomicU64; Level::ALL.len()]);

fn pack(standing: Standing) -> u64 {
    (standing.epoch.0 << AUTHORITY_BITS) | u64::from(standing.authority.as_byte())
}

fn unpack(slot: u64) -> Standing {
    let [authority, ..] = slot.to_le_bytes();
    Standing {
        authority: Authority::from_byte(authority),
        epoch: Epoch(slot >> AUTHORITY_BITS),
    }
}

impl Cell {
    fn load(&self, level: Level) -> Standing {
        unpack(self.0[level.index()].load(Ordering::Acquire))
    }

    fn store(&self, level: Level, standing: Standing) {
        if level != Level::L3 {
            self.0[level.index()].store(pack(standing), Ordering::Release);
        }
    }
}

/// Reads the cell; cheap to clone.
#[derive(Debug, Clone)]
pub struct AuthorityReader(Arc<Cell>);

impl AuthorityReader {
    /// The effective authority and the epoch of a level.
    pub fn read(&self, level: Level) -> Standing {
        let own = self.0.load(level);
        let effective = Level::ALL[..level.index()]
            .iter()
            .map(|&below| self.0.load(below).authority)
            .fold(own.authority, Authority::min);
        Standing {
            authority: effective,
            epoch: own.epoch,
        }
    }

    /// The effective authority of every level, lowest first.
    pub fn all(&self) -> [Authority; Level::ALL.len()] {
        Level::ALL.map(|level| self.read(level).authority)
    }
}

/// Changes the cell. Not `Clone`: there is one, in the governor, behind its lock.
#[derive(Debug)]
pub struct AuthorityWriter(Arc<Cell>);

impl AuthorityWriter {
    /// A cell with the given standings, lowest level first; L3 is `Full` whatever is given.
    pub fn new(standings: [Standing; Level::ALL.len()]) -> Self {
        let mut standings = standings;
        standings[Level::L3.index()].authority = Authority::Full;
        Self(Arc::new(Cell(standings.map(|standing| AtomicU64::new(pack(standing))))))
    }

    /// A way to read the cell and not to change it.
    pub fn reader(&self) -> AuthorityReader {
        AuthorityReader(Arc::clone(&self.0))
    }

    /// Freezes a level (L3 stays) and every level above it, and gives them their new epochs (lowest level first). The
    /// first store puts the freeze in force for all of them.
    pub fn freeze(&self, level: Level, epochs: [Epoch; Level::ALL.len()]) {
        for &frozen in &Level::ALL[level.index()..] {
            let standing = Standing {
                authority: Authority::Frozen,
                epoch: epochs[frozen.index()],
            };
            self.0.store(frozen, standing);
        }
    }

    /// Gives a level an authority and an epoch, and leaves the levels above as they are.
    pub fn place(&self, level: Level, standing: Standing) {
        self.0.store(level, standing);
    }

    /// Gives a level an authority and takes every level above down to it.
    pub fn set(&self, level: Level, authority: Authority) {
        let own = self.0.load(level);
        self.0.store(level, Standing { authority, ..own });
        for &above in &Level::ALL[level.index() + 1..] {
            let standing = self.0.load(above);
            let authority = standing.authority.min(authority);
            self.0.store(above, Standing { authority, ..standing });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(authorities: [Authority; 5]) -> AuthorityWriter {
        AuthorityWriter::new(authorities.map(|authority| Standing {
            authority,
            epoch: Epoch(7),
        }))
    }

    #[test]
    fn a_freeze_takes_every_level_above_down_and_makes_what_they_said_stale() {
        let writer = cell([Authority::Full; 5]);
        writer.freeze(Level::L48, [7, 7, 8, 8, 8].map(Epoch));
        let reader = writer.reader();
        let (full, frozen) = (Authority::Full, Authority::Frozen);
        assert_eq!(reader.all(), [full, full, frozen, frozen, frozen]);
        assert_eq!(Level::ALL.map(|level| reader.read(level).epoch.0), [7, 7, 8, 8, 8]);
    }

    #[test]
    fn a_level_above_does_not_rise_again_with_the_level_below() {
        let writer = cell([Authority::Full; 5]);
        writer.set(Level::L48, Authority::Shadow);
        writer.set(Level::L48, Authority::Full);
        let reader = writer.reader();
        assert_eq!(reader.read(Level::L48).authority, Authority::Full);
        assert_eq!(reader.read(Level::L49).authority, Authority::Shadow);
    }

    #[test]
    fn l3_cannot_be_changed_by_anything() {
        let writer = cell([Authority::Frozen; 5]);
        writer.freeze(Level::L3, [Epoch(9); 5]);
        writer.set(Level::L3, Authority::Shadow);
        let l3 = writer.reader().read(Level::L3);
        assert_eq!((l3.authority, l3.epoch), (Authority::Full, Epoch(7)));
    }

    /// All 5^5 stored combinations: what is read never exceeds what is read of the level below.
    #[test]
    fn no_stored_combination_lets_a_level_read_above_the_level_below() {
        for code in 0..5_usize.pow(5) {
            let stored = std::array::from_fn(|level| Authority::ALL[code / 5_usize.pow(level as u32) % 5]);
            let read = cell(stored).reader().all();
            assert!(
                read.is_sorted_by(|below, above| above <= below),
                "{stored:?} read as {read:?}"
            );
            assert_eq!(read[4], stored[1..].iter().copied().min().expect("four levels"));
        }
    }

    #[test]
    fn every_standing_survives_packing() {
        for authority in Authority::ALL {
            for epoch in [0, 1, u64::MAX >> AUTHORITY_BITS].map(Epoch) {
                let standing = Standing { authority, epoch };
                assert_eq!(unpack(pack(standing)), standing);
            }
        }
    }
}
