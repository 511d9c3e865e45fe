//! The version of the form in which a store keeps its rows, and the numbered steps from one to the next.

/// Why a store cannot be opened by this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the store has format {found}, this program knows up to {newest}: use a newer program")]
pub struct NewerFormat {
    /// What the store has.
    pub found: u32,
    /// What this program knows.
    pub newest: u32,
}

/// The steps to be taken, each named by the version it leads to, in order. An empty store has version 0. Every step is
/// one commit together with the note that it was taken, so that two nodes that start at once do not both take it.
///
/// # Errors
/// If the store is of a newer program.
pub fn steps(found: u32, newest: u32) -> Result<impl Iterator<Item = u32>, NewerFormat> {
    if found > newest {
        return Err(NewerFormat { found, newest });
    }
    Ok(found + 1..=newest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_store_is_brought_up_step_by_step_and_a_newer_one_refused() {
        let taken = |found, newest| steps(found, newest).map(Iterator::collect::<Vec<_>>);
        assert_eq!(taken(0, 3), Ok(vec![1, 2, 3]));
        assert_eq!(taken(2, 3), Ok(vec![3]));
        assert_eq!(taken(3, 3), Ok(vec![]));
        assert_eq!(taken(4, 3), Err(NewerFormat { found: 4, newest: 3 }));
    }
}
