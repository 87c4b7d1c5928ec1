//! Text that others wrote, as it may reach a terminal: control characters, and those that turn the direction of
//! writing, become `\u001b`, which means the same inside of JSON.

use std::fmt::{self, Write};

/// Longer ids are shortened where people read.
const ID: usize = 100;

/// Passes text on, with what must not reach a terminal escaped.
pub(crate) struct Plain<W> {
    out: W,
    lines: bool,
}

impl<W: Write> Plain<W> {
    /// All on one line.
    pub(crate) fn line(out: W) -> Self {
        Self { out, lines: false }
    }

    /// Ends of lines and tabs stay.
    pub(crate) fn lines(out: W) -> Self {
        Self { out, lines: true }
    }
}

impl<W: Write> Write for Plain<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut clean = 0;
        for (at, c) in text.char_indices().filter(|(_, c)| is_odd(*c)) {
            if self.lines && matches!(c, '\n' | '\t') {
                continue;
            }
            self.out.write_str(&text[clean..at])?;
            write!(self.out, "\\u{:04x}", u32::from(c))?;
            clean = at + c.len_utf8();
        }
        self.out.write_str(&text[clean..])
    }
}

/// Text of one or more lines.
pub(crate) fn lines(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    Plain::lines(&mut plain).write_str(text).expect("a text takes everything");
    plain
}

/// An id on one line; a very long one is shortened.
pub(crate) fn id(id: &str) -> String {
    let mut plain = String::new();
    match id.char_indices().nth(ID) {
        Some((end, _)) => {
            let shown = write!(Plain::line(&mut plain), "{}", &id[..end]);
            shown.and_then(|()| write!(plain, "… ({} bytes)", id.len()))
        }
        None => Plain::line(&mut plain).write_str(id),
    }
    .expect("a text takes everything");
    plain
}

fn is_odd(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_a_terminal_is_escaped_and_letters_stay() {
        assert_eq!(lines("a\x1b[2J\u{9b}1m\u{202e}b\x7f é 漢"), r"a\u001b[2J\u009b1m\u202eb\u007f é 漢");
        assert_eq!(lines("one\ntwo\tthree\r"), "one\ntwo\tthree\\u000d");
        assert_eq!(id("a\nb"), r"a\u000ab");
    }

    #[test]
    fn a_long_id_is_shortened() {
        assert_eq!(id(&"x".repeat(65_536)), format!("{}… (65536 bytes)", "x".repeat(100)));
        assert_eq!(id(&"x".repeat(100)), "x".repeat(100));
    }
}
