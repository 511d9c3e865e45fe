//! Keys of several parts, as bytes in the same order as the parts.
//!
//! A number is eight bytes, greatest first. A text is its bytes, with 00 as 00 FF, and ends with 00 00: so no text is the
//! beginning of another part, and `a` comes before `aa`.

const END: [u8; 2] = [0, 0];
const ZERO: [u8; 2] = [0, u8::MAX];

/// Builds a key, part by part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Key(Vec<u8>);

impl Key {
    /// The empty key, the prefix of all.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a number.
    #[must_use]
    pub fn number(mut self, number: u64) -> Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    /// Adds a text, or bytes.
    #[must_use]
    pub fn text(mut self, text: impl AsRef<[u8]>) -> Self {
        for byte in text.as_ref() {
            match byte {
                0 => self.0.extend(ZERO),
                byte => self.0.push(*byte),
            }
        }
        self.0.extend(END);
        self
    }

    /// The key.
    pub fn bytes(self) -> Vec<u8> {
        self.0
    }
}

/// Reads a key, part by part.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a>(&'a [u8]);

impl<'a> Parts<'a> {
    /// The parts of a key.
    pub fn of(key: &'a [u8]) -> Self {
        Self(key)
    }

    /// The next part, if it can be a number.
    pub fn number(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_be_bytes(*number))
    }

    /// The next part, if it can be a text.
    pub fn text(&mut self) -> Option<Vec<u8>> {
        let (mut text, mut rest) = (Vec::new(), self.0);
        loop {
            match rest {
                [0, 0, after @ ..] => {
                    self.0 = after;
                    return Some(text);
                }
                [0, u8::MAX, after @ ..] => {
                    text.push(0);
                    rest = after;
                }
                [0, ..] | [] => return None,
                [byte, after @ ..] => {
                    text.push(*byte);
                    rest = after;
                }
            }
        }
    }

    /// Whether nothing is left.
    pub fn is_done(self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_key_is_read_as_it_was_built() {
        let key = Key::new().text("acme").number(7).text([0, 1, 0]).bytes();
        let mut parts = Parts::of(&key);
        assert_eq!(parts.text().as_deref(), Some(b"acme".as_slice()));
        assert_eq!(parts.number(), Some(7));
        assert_eq!(parts.text(), Some(vec![0, 1, 0]));
        assert!(parts.is_done());
        assert_eq!((parts.text(), parts.number()), (None, None));
        assert_eq!(Parts::of(&[1, 0, 7]).text(), None);
    }

    proptest! {
        #[test]
        fn keys_are_in_the_order_of_their_parts(a: (Vec<u8>, u64, Vec<u8>), b: (Vec<u8>, u64, Vec<u8>)) {
            let key = |(one, two, three): &(Vec<u8>, u64, Vec<u8>)| Key::new().text(one).number(*two).text(three).bytes();
            prop_assert_eq!(key(&a).cmp(&key(&b)), a.cmp(&b));
            let built = key(&a);
            let mut parts = Parts::of(&built);
            prop_assert_eq!((parts.text(), parts.number(), parts.text()), (Some(a.0), Some(a.1), Some(a.2)));
        }
    }
}
