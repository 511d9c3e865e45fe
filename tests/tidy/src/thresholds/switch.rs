//! A constant that can be changed from outside, in a copy of the workspace that `.ci/thresholds` makes.

/// A constant: its value, and the values it has under each change that reaches it.
#[derive(Clone, Copy)]
pub struct Switched<T: 'static> {
    /// The value as it is written.
    pub plain: T,
    /// Number of a change, and the value under it.
    pub table: &'static [(u32, T)],
}

impl<T: Copy + 'static> Switched<T> {
    /// The value under the change of this number.
    pub const fn at(self, change: u32) -> T {
        let mut index = 0;
        while index < self.table.len() {
            if self.table[index].0 == change {
                return self.table[index].1;
            }
            index += 1;
        }
        self.plain
    }

    /// The value under the change that the environment names.
    #[inline]
    pub fn get(self) -> T {
        match *CHANGE {
            Some(change) => self.at(change),
            None => self.plain,
        }
    }
}

impl<T: Copy + std::fmt::Display> std::fmt::Display for Switched<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.get().fmt(f)
    }
}

impl<T: Copy + std::fmt::Debug> std::fmt::Debug for Switched<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.get().fmt(f)
    }
}

static CHANGE: std::sync::LazyLock<Option<u32>> =
    std::sync::LazyLock::new(|| std::env::var("RUNGS_CHANGE").ok()?.parse().ok());
