//! Follows ractor_cluster's frames in a byte stream without decoding them: an 8-byte big-endian length, then one
//! protobuf message whose first byte says what it carries (`protocol/meta.proto` of ractor_cluster 0.16.5).

/// What a ractor_cluster frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carries {
    /// A step of its authentication.
    Authentication,
    /// A message between actors: one of our frames.
    Message,
    /// Anything else: pings, announcements.
    Other,
}

impl Carries {
    fn of(first: Option<u8>) -> Self {
        // Field numbers 1 and 2, wire type 2 (bytes).
        match first {
            Some(0x0a) => Self::Authentication,
            Some(0x12) => Self::Message,
            _ => Self::Other,
        }
    }
}

/// Bytes of the length before each frame.
pub(crate) const LENGTH_BYTES: usize = 8;

/// The first frame in a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    /// Its bytes, with the length before it.
    pub(crate) bytes: u64,
    /// What it carries.
    pub(crate) carries: Carries,
}

/// Reads the head of a buffer; `None` if that needs more bytes.
pub(crate) fn head(buffer: &[u8]) -> Option<Head> {
    let (length, body) = buffer.split_first_chunk::<LENGTH_BYTES>()?;
    let length = u64::from_be_bytes(*length);
    if length > 0 && body.is_empty() {
        return None;
    }
    Some(Head {
        bytes: length.saturating_add(LENGTH_BYTES as u64),
        carries: Carries::of(body.first().copied().filter(|_| length > 0)),
    })
}

/// Counts the complete frames of a stream.
#[derive(Debug, Default)]
pub(crate) struct Scanner {
    /// The beginning of the next frame, until its head can be read.
    start: [u8; LENGTH_BYTES + 1],
    have: usize,
    /// What is left of the frame under way, and what it carries.
    left: u64,
    carries: Option<Carries>,
}

impl Scanner {
    /// Takes the next bytes; returns how many messages they complete.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) -> u64 {
        let mut messages = 0;
        while !bytes.is_empty() {
            let taken = match self.carries {
                Some(_) => usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len()),
                None => 1,
            };
            if self.carries.is_some() {
                self.left -= taken as u64;
            } else {
                self.begin(bytes[0]);
            }
            bytes = &bytes[taken..];
            if self.left == 0
                && let Some(carries) = self.carries.take()
            {
                messages += u64::from(carries == Carries::Message);
                self.have = 0;
            }
        }
        messages
    }

    /// Takes one byte of a frame's beginning.
    fn begin(&mut self, byte: u8) {
        self.start[self.have] = byte;
        self.have += 1;
        if let Some(head) = head(&self.start[..self.have]) {
            self.left = head.bytes - self.have as u64;
            self.carries = Some(head.carries);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(body: &[u8]) -> Vec<u8> {
        [&(body.len() as u64).to_be_bytes()[..], body].concat()
    }

    #[test]
    fn messages_are_counted_however_the_stream_is_cut() {
        let bodies: [&[u8]; 6] = [&[0x0a, 1, 2], &[0x12, 9, 9, 9], &[], &[0x1a], &[0x12], &[0x12; 300]];
        let stream: Vec<u8> = bodies.iter().flat_map(|body| frame(body)).collect();
        for step in [1, 2, 7, 8, 9, 100, stream.len()] {
            let mut scanner = Scanner::default();
            let messages: u64 = stream.chunks(step).map(|chunk| scanner.feed(chunk)).sum();
            assert_eq!(messages, 3, "{step} bytes at a time");
        }
        let mut scanner = Scanner::default();
        assert_eq!(scanner.feed(&stream[..stream.len() - 1]), 2);
        assert_eq!(scanner.feed(&stream[stream.len() - 1..]), 1);
    }

    #[test]
    fn the_head_needs_the_length_and_the_first_byte() {
        let bytes = frame(&[0x0a, 1]);
        assert_eq!(head(&bytes[..8]), None);
        let expected = Head {
            bytes: 10,
            carries: Carries::Authentication,
        };
        assert_eq!(head(&bytes[..9]), Some(expected));
        let empty = Head {
            bytes: 8,
            carries: Carries::Other,
        };
        assert_eq!(head(&frame(&[])), Some(empty));
        let huge = [&u64::MAX.to_be_bytes()[..], &[0x12]].concat();
        assert_eq!(head(&huge).map(|head| head.bytes), Some(u64::MAX));
    }
}
