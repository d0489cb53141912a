//! Where quotes, comments and escapes end in a piece of SQL, by platform.

use crate::platform::Lexicon;
use std::iter::Peekable;
use std::str::Chars;

/// What PostgreSQL's operators are made of.
pub(super) fn is_operator(c: char) -> bool {
    "+-*/<>=~!@#%^&|`?".contains(c)
}

/// What names and the tags of dollar quotes are made of: for PostgreSQL, whatever is not ASCII (its lexer, `ident_cont` and
/// `dolq_cont`), be it a letter or not.
pub(super) fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii()
}

/// The characters of a piece, of which quotes and comments are skipped whole.
pub(super) struct Scan<'a> {
    /// What is left.
    pub(super) chars: Peekable<Chars<'a>>,
    /// Whose SQL it is.
    pub(super) lexicon: &'a Lexicon,
}

impl Scan<'_> {
    /// The rest of a `'…'`. Whether a backslash escapes depends on the platform and on an `E` before the literal, which
    /// PostgreSQL carries on to the literal on the next line, the same one for it (section 4.1.2.1 of its manual).
    pub(super) fn literal(&mut self, escaped: bool, follows_escaped: bool) -> Result<(), String> {
        let escaped = escaped && self.lexicon.has_escape_literals;
        let mut backslashes = 0_usize;
        while let Some(c) = self.chars.next() {
            if c == '\\' {
                backslashes += 1;
                continue;
            }
            let is_after_backslash = backslashes % 2 == 1;
            backslashes = 0;
            if c != '\'' {
                continue;
            }
            if is_after_backslash && follows_escaped {
                return Err(
                    "a backslash before a quote, in a literal that continues an E'…': write both as one literal"
                        .to_owned(),
                );
            }
            if is_after_backslash && escaped {
                continue;
            }
            if is_after_backslash && self.lexicon.has_ambiguous_backslash {
                return Err(
                    "a backslash before a quote may or may not end the literal; write '' for a quote inside it, or E'…\\\\' for a backslash at its end".to_owned(),
                );
            }
            if self.chars.next_if_eq(&'\'').is_none() {
                return Ok(());
            }
        }
        Err("a text literal does not end; close it with '".to_owned())
    }

    /// A brace outside of quotes, which is no SQL: it begins or ends an escape of ODBC's, which the driver translates.
    pub(super) fn escape(&mut self, brace: char, mark_before: Option<char>) -> Result<(), String> {
        let rest: String = self.chars.clone().collect();
        let word = rest.split_whitespace().next().unwrap_or_default();
        let is_known = ["d", "t", "ts", "fn", "escape"]
            .iter()
            .any(|known| word.eq_ignore_ascii_case(known));
        match brace {
            '}' if mark_before != Some('{') => {
                Err("a `}` closes nothing; it is allowed inside quotes only".to_owned())
            }
            '{' if mark_before == Some('{') || !is_known => Err(
                "a `{` outside of quotes begins an escape of ODBC's, of which the driver knows {d '…'}, {t '…'}, {ts '…'}, {fn …} and {escape '…'}; write plain SQL: DATE '2024-01-01'"
                    .to_owned(),
            ),
            _ => Ok(()),
        }
    }

    /// The rest of a name that ends with `end`, which is doubled inside.
    pub(super) fn doubled(&mut self, end: char, what: &str) -> Result<(), String> {
        while let Some(c) = self.chars.next() {
            if c == end && self.chars.next_if_eq(&end).is_none() {
                return Ok(());
            }
        }
        Err(format!("{what} does not end; close it with {end}"))
    }

    /// The rest of a `$tag$…$tag$`; a `$` that begins none is left alone.
    pub(super) fn dollar_quoted(&mut self) -> Result<(), String> {
        let rest: String = self.chars.clone().collect();
        let Some(tag_end) = rest.find('$') else {
            return Ok(());
        };
        let tag = &rest[..tag_end];
        if !tag.chars().all(is_word) || tag.starts_with(|c: char| c.is_ascii_digit()) {
            return Ok(());
        }
        let closing = format!("${tag}$");
        match rest[tag_end + 1..].find(&closing) {
            Some(at) => {
                let length = tag_end + 1 + at + closing.len();
                let count = rest[..length].chars().count();
                self.chars.by_ref().take(count).for_each(drop);
                Ok(())
            }
            None => Err(format!(
                "a text literal does not end; close it with {closing}"
            )),
        }
    }

    /// The rest of a `-- …`. Sources differ in whether a carriage return ends it: PostgreSQL's lexer says so.
    pub(super) fn line_comment(&mut self) -> Result<(), String> {
        while let Some(c) = self.chars.next() {
            match c {
                '\n' => return Ok(()),
                '\r' if self.chars.peek().is_some_and(|next| *next != '\n') => {
                    return Err(
                        "a carriage return may or may not end the comment that it stands in; end it with a line feed"
                            .to_owned(),
                    );
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The rest of a `/* … */`, which nests.
    pub(super) fn block_comment(&mut self) -> Result<(), String> {
        self.chars.next();
        let mut depth = 1_usize;
        while let Some(c) = self.chars.next() {
            if c == '*' && self.chars.next_if_eq(&'/').is_some() {
                depth -= 1;
                if depth == 0 {
                    return Ok(());
                }
            } else if c == '/' && self.chars.next_if_eq(&'*').is_some() {
                depth += 1;
            }
        }
        Err("a comment does not end; close it with */".to_owned())
    }
}
