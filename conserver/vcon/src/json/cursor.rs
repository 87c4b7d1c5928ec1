//! The strict scanner: one pass, no values built.
//!
//! Accepts what RFC 8259 accepts and nothing else, with two notes. An escaped lone surrogate (`\ud800`)
//! passes, as it does in Python and in `serde_json`'s raw values; and nesting is bounded by a limit, which
//! also bounds the memory of the scan. Not recursive: no document can exhaust the stack.

use super::plain::plain_prefix;

/// Where and why the scan stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) rule: &'static str,
    pub(crate) at: usize,
    pub(crate) message: String,
}

/// A place in a text that is being scanned.
pub(crate) struct Cursor<'a> {
    text: &'a str,
    at: usize,
    /// Where the last key began.
    key_at: usize,
    /// Containers that a caller has opened through [`Cursor::object`] and [`Cursor::array`].
    depth: usize,
    max_depth: usize,
    /// Containers open inside the value being skipped; true is an object. Kept for its allocation.
    nest: Vec<bool>,
}

type Scan<T> = Result<T, Fault>;

impl<'a> Cursor<'a> {
    pub(crate) fn new(text: &'a str, max_depth: usize) -> Self {
        Self { text, at: 0, key_at: 0, depth: 0, max_depth, nest: Vec::new() }
    }

    /// The offset of the next byte.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// The offset at which the key passed last began.
    pub(crate) fn key_at(&self) -> usize {
        self.key_at
    }

    #[inline]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    pub(crate) fn slice(&self, from: usize) -> &'a str {
        &self.text[from..self.at]
    }

    #[inline]
    pub(crate) fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    /// Takes `byte` if it comes next.
    pub(crate) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Succeeds when only white space is left.
    pub(crate) fn end(&mut self) -> Scan<()> {
        self.space();
        match self.peek() {
            None => Ok(()),
            Some(_) => self.fault("text follows after the end of the JSON value; send one value only"),
        }
    }

    /// Passes an object; `member` gets each key (with its quotes) and must pass the value.
    pub(crate) fn object(&mut self, mut member: impl FnMut(&mut Self, &'a str) -> Scan<()>) -> Scan<()> {
        self.open(b'{', "an object")?;
        if !self.closes(b'}') {
            loop {
                let key = self.key()?;
                member(self, key)?;
                if !self.goes_on(b'}')? {
                    break;
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Passes an array; `element` gets each index and must pass the value.
    pub(crate) fn array(&mut self, mut element: impl FnMut(&mut Self, usize) -> Scan<()>) -> Scan<()> {
        self.open(b'[', "an array")?;
        if !self.closes(b']') {
            for index in 0.. {
                self.space();
                element(self, index)?;
                if !self.goes_on(b']')? {
                    break;
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Passes any value that begins here.
    pub(crate) fn value(&mut self) -> Scan<()> {
        self.nest.clear();
        loop {
            match self.peek() {
                Some(b'"') => self.string()?,
                Some(open @ (b'{' | b'[')) => {
                    self.enter()?;
                    self.at += 1;
                    let is_object = open == b'{';
                    if !self.closes(if is_object { b'}' } else { b']' }) {
                        self.nest.push(is_object);
                        if is_object {
                            self.key()?;
                        } else {
                            self.space();
                        }
                        continue;
                    }
                }
                Some(b'-' | b'0'..=b'9') => self.number()?,
                Some(b't') => self.literal("true")?,
                Some(b'f') => self.literal("false")?,
                Some(b'n') => self.literal("null")?,
                Some(b'N' | b'I') => {
                    return self
                        .fault("`NaN` and `Infinity` are not JSON (RFC 8259 §6); write `null` or a string");
                }
                _ => return self.fault("expected a JSON value"),
            }
            // A value has ended: so do the containers that end with it.
            loop {
                let Some(&is_object) = self.nest.last() else { return Ok(()) };
                if self.goes_on(if is_object { b'}' } else { b']' })? {
                    if is_object {
                        self.key()?;
                    } else {
                        self.space();
                    }
                    break;
                }
                self.nest.pop();
            }
        }
    }

    /// Passes a string and leaves its content alone.
    pub(crate) fn string(&mut self) -> Scan<()> {
        let bytes = self.text.as_bytes();
        self.at += 1;
        loop {
            self.at += plain_prefix(&bytes[self.at..]);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                Some(_) => {
                    return self.fault("a control character in a string must be escaped, such as `\\n`");
                }
                None => return self.fault("the text ends inside a string; it may have been cut off"),
            }
        }
    }

    fn escape(&mut self) -> Scan<()> {
        let rest = &self.text.as_bytes()[self.at + 1..];
        match rest {
            [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => self.at += 2,
            [b'u', digits @ ..] if digits.len() >= 4 && digits[..4].iter().all(u8::is_ascii_hexdigit) => {
                self.at += 6;
            }
            _ => return self.fault("a backslash in a string must begin one of JSON's escapes"),
        }
        Ok(())
    }

    fn number(&mut self) -> Scan<()> {
        let from = self.at;
        self.take(b'-');
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            Some(b'I') => {
                return self
                    .fault("`NaN` and `Infinity` are not JSON (RFC 8259 §6); write `null` or a string");
            }
            _ => return self.fault("expected a digit"),
        }
        if self.take(b'.') {
            self.some_digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.some_digits()?;
            // Most readers make it infinite, and then write what is no JSON.
            if self.text[from..self.at].parse().is_ok_and(f64::is_infinite) {
                return self.fault("the number is larger than any that can be read");
            }
        }
        Ok(())
    }

    fn some_digits(&mut self) -> Scan<()> {
        let from = self.at;
        self.digits();
        if self.at == from { self.fault("expected a digit") } else { Ok(()) }
    }

    fn digits(&mut self) {
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
    }

    fn literal(&mut self, word: &str) -> Scan<()> {
        if self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(())
        } else {
            self.fault("expected a JSON value")
        }
    }

    /// Passes a key and its colon, up to where the value begins.
    fn key(&mut self) -> Scan<&'a str> {
        self.space();
        if self.peek() != Some(b'"') {
            return self.fault("expected a member name in double quotes");
        }
        self.key_at = self.at;
        self.string()?;
        let key = self.slice(self.key_at);
        self.space();
        if !self.take(b':') {
            return self.fault("expected `:` after a member name");
        }
        self.space();
        Ok(key)
    }

    fn open(&mut self, bracket: u8, what: &str) -> Scan<()> {
        if self.peek() != Some(bracket) {
            return self.fault(&format!("expected {what}"));
        }
        self.nest.clear();
        self.enter()?;
        self.depth += 1;
        self.at += 1;
        Ok(())
    }

    fn enter(&self) -> Scan<()> {
        if self.depth + self.nest.len() < self.max_depth {
            return Ok(());
        }
        let message =
            format!("nested deeper than {} levels; raise the limit or flatten the value", self.max_depth);
        Err(Fault { rule: "too-deep", at: self.at, message })
    }

    fn closes(&mut self, bracket: u8) -> bool {
        self.space();
        self.take(bracket)
    }

    /// After a value: true when a comma says that another follows, false at the closing bracket.
    fn goes_on(&mut self, bracket: u8) -> Scan<bool> {
        self.space();
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(byte) if byte == bracket => {
                self.at += 1;
                Ok(false)
            }
            None => self.fault("the text ends inside an object or array; it may have been cut off"),
            Some(_) => self.fault(&format!("expected `,` or `{}`", char::from(bracket))),
        }
    }

    fn fault<T>(&self, message: &str) -> Scan<T> {
        Err(Fault { rule: "not-json", at: self.at, message: message.into() })
    }
}

#[cfg(test)]
mod tests {
    use crate::json::check;

    #[test]
    fn json_is_accepted() {
        for text in [
            "0",
            "-0",
            "-0.0e-0",
            "1e5",
            "12.5E+3",
            "true",
            "null",
            "\"\"",
            "[]",
            "{}",
            " [ 1 , 2 ] ",
            "[[],{}]",
            r#"{"a":{"b":[1,{"c":"d"}]},"e":"\u00e9\ud800\n\/"}"#,
            "\"é\"",
        ] {
            assert_eq!(check(text, 8), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in [
            "",
            "01",
            "-",
            "1.",
            ".5",
            "1e",
            "+1",
            "tru",
            "nul",
            "NaN",
            "-Infinity",
            "[1,]",
            "{\"a\":1,}",
            "{a:1}",
            "[1 2]",
            "{\"a\" 1}",
            "\"\n\"",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"\\u12",
            "\"",
            "[",
            "{",
            "[1}",
            "{\"a\":1]",
            "1 1",
            "{,}",
            "[,]",
            "'a'",
            "\u{feff}1",
        ] {
            assert_eq!(check(text, 8).map_err(|fault| fault.rule), Err("not-json"), "{text}");
        }
    }

    #[test]
    fn depth_is_bounded_for_empty_containers_too() {
        assert_eq!(check("[[[]]]", 3), Ok(()));
        assert_eq!(check("[[[]]]", 2).unwrap_err().rule, "too-deep");
        assert_eq!(check("[[{}]]", 2).unwrap_err().rule, "too-deep");
        let deep = "[".repeat(1_000_000);
        assert_eq!(check(&deep, 64).unwrap_err().at, 64);
    }

    #[test]
    fn not_a_number_is_named() {
        assert!(check("[NaN]", 8).unwrap_err().message.contains("`NaN`"));
    }
}
