//! Numbers in few bits, and numbers in bytes of seven bits: what the encoding of the map is written in.

/// Writes numbers of a given width, the lowest bits first.
#[derive(Debug, Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    /// Bits that fill no byte yet.
    open: u128,
    open_bits: u32,
}

impl BitWriter {
    /// Writes the lowest `width` bits, 0 to 64.
    pub(super) fn write(&mut self, value: u64, width: u32) {
        debug_assert!(width <= 64 && (width == 64 || value >> width == 0));
        self.open |= u128::from(value) << self.open_bits;
        self.open_bits += width;
        while self.open_bits >= 8 {
            self.bytes.push(self.open as u8);
            self.open >>= 8;
            self.open_bits -= 8;
        }
    }

    /// All bytes; the last is filled with zeros.
    pub(super) fn finish(mut self) -> Vec<u8> {
        if self.open_bits > 0 {
            self.bytes.push(self.open as u8);
        }
        self.bytes
    }
}

/// Reads what [`BitWriter`] wrote.
#[derive(Debug)]
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    open: u128,
    open_bits: u32,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            open: 0,
            open_bits: 0,
        }
    }

    /// The next `width` bits, 0 to 64; `None` behind the end.
    pub(super) fn read(&mut self, width: u32) -> Option<u64> {
        while self.open_bits < width {
            let (first, rest) = self.bytes.split_first()?;
            self.open |= u128::from(*first) << self.open_bits;
            self.open_bits += 8;
            self.bytes = rest;
        }
        let value = self.open & ((1 << width) - 1);
        self.open >>= width;
        self.open_bits -= width;
        Some(value as u64)
    }
}

/// Bits that a number needs; none for zero.
pub(super) fn width(largest: u64) -> u32 {
    u64::BITS - largest.leading_zeros()
}

/// Appends a number in groups of seven bits, the lowest first (LEB128).
pub(super) fn write_number(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Takes a number off the front; `None` if it does not end or is larger than 64 bits.
pub(super) fn read_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        let part = u64::from(first & 0x7f);
        if (part << shift) >> shift != part {
            return None;
        }
        value |= part << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_any_width_come_back() {
        let values = [(5, 3), (0, 0), (u64::MAX, 64), (1, 1), (1023, 10), (0, 7)];
        let mut writer = BitWriter::default();
        for (value, width) in values {
            writer.write(value, width);
        }
        let bytes = writer.finish();
        assert_eq!(bytes.len(), 11);
        let mut reader = BitReader::new(&bytes);
        for (value, width) in values {
            assert_eq!(reader.read(width), Some(value));
        }
        assert_eq!(reader.read(4), None);
    }

    #[test]
    fn a_number_that_does_not_end_or_is_too_large_is_none() {
        for value in [0, 127, 128, 300, u64::MAX] {
            let mut bytes = Vec::new();
            write_number(&mut bytes, value);
            assert_eq!(read_number(&mut bytes.as_slice()), Some(value));
        }
        assert_eq!(read_number(&mut [0x80, 0x80].as_slice()), None);
        let too_large = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
        assert_eq!(read_number(&mut too_large.as_slice()), None);
    }
}
