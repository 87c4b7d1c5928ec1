//! The hot loop: how far a string runs without a byte that means something.
//!
//! Recordings are strings of megabytes with nothing in them but base64. The check is written over blocks
//! of fixed size without branches inside, which the compiler turns into vector instructions; the exact
//! place is then found with arithmetic on eight bytes at a time.

const BLOCK: usize = 64;
const WORD: usize = 8;

/// Returns how many leading bytes are neither a quote, a backslash nor a control character.
pub(crate) fn plain_prefix(bytes: &[u8]) -> usize {
    let mut at = 0;
    // Most strings are short: look at two words before the blocks.
    for _ in 0..2 {
        match first_special(&bytes[at..]) {
            Some(WORD) => at += WORD,
            Some(found) => return at + found,
            None => return at + tail(&bytes[at..]),
        }
    }
    at += bytes[at..].chunks_exact(BLOCK).take_while(|block| is_plain(block)).count() * BLOCK;
    loop {
        match first_special(&bytes[at..]) {
            Some(WORD) => at += WORD,
            Some(found) => return at + found,
            None => return at + tail(&bytes[at..]),
        }
    }
}

fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

fn is_plain(block: &[u8]) -> bool {
    !block.iter().fold(false, |special, &byte| special | is_special(byte))
}

fn tail(bytes: &[u8]) -> usize {
    bytes.iter().position(|&byte| is_special(byte)).unwrap_or(bytes.len())
}

/// The place of the first special byte among the first eight, `WORD` if there is none, `None` if there
/// are fewer than eight bytes.
fn first_special(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([1; WORD]);
    const HIGH: u64 = ONES << 7;
    let word = u64::from_le_bytes(*bytes.first_chunk()?);
    // A byte becomes 0 where it equals the one looked for; `x - 1` borrows into the high bit exactly there
    // (bits above the first hit may be wrong, which is why only the lowest is used).
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let hits = (quote.wrapping_sub(ONES) & !quote)
        | (backslash.wrapping_sub(ONES) & !backslash)
        | (word.wrapping_sub(ONES * 0x20) & !word);
    Some((hits & HIGH).trailing_zeros() as usize / WORD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_at_every_place_is_judged_right() {
        for len in [0, 1, 7, 8, 9, 16, 17, 64, 80, 81, 200] {
            for at in 0..len {
                for byte in 0..=255u8 {
                    let mut text = vec![b'~'; len];
                    text[at] = byte;
                    let expected = if is_special(byte) { at } else { len };
                    assert_eq!(plain_prefix(&text), expected, "byte {byte} at {at} of {len}");
                }
            }
        }
    }

    #[test]
    fn the_first_of_two_wins() {
        for (a, b) in [(3, 4), (0, 1), (5, 70), (63, 64), (80, 81)] {
            let mut text = vec![0xc3; 100];
            text[a] = b'\\';
            text[b] = b'"';
            assert_eq!(plain_prefix(&text), a);
        }
    }
}
