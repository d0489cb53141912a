//! How the ODBC driver reads SQL before the source does: what is outside of literals, quoted names and comments, and
//! means something to ODBC. As psqlODBC does it (`SC_scanQueryAndCountParams`, `inner_process_tokens`), which knows less of
//! PostgreSQL's literals than PostgreSQL.

/// What ODBC gives a meaning outside of quotes: parameters and escapes.
pub(super) const MARKS: [char; 3] = ['?', '{', '}'];

/// The marks that the driver finds outside of quotes, in order.
///
/// # Errors
/// What is wrong: a literal or comment that continues for the driver where it ends for the source, or a word of its own.
pub(super) fn marks(text: &str) -> Result<Vec<char>, String> {
    let chars: Vec<char> = text.chars().collect();
    // Its two passes differ in one thing.
    let counted = Reader::new(&chars, true).read()?;
    let rewritten = Reader::new(&chars, false).read()?;
    if counted == rewritten {
        Ok(counted)
    } else {
        Err(disagreement())
    }
}

/// What is said where source and driver do not read the same.
pub(super) fn disagreement() -> String {
    "the ODBC driver reads this otherwise than the source does, and would change it: write E'…' with a capital E where a backslash escapes a quote, $$…$$ without a tag that has an underscore, and no comment that begins with /*/"
        .to_owned()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Word,
    /// Whether a backslash escapes.
    Literal(bool),
    Name,
    Dollar(usize, usize),
    Line,
    Block(usize),
}

struct Reader<'a> {
    chars: &'a [char],
    /// Whether the star that begins a comment is passed over with its slash.
    passes_star: bool,
}

impl<'a> Reader<'a> {
    fn new(chars: &'a [char], passes_star: bool) -> Self {
        Self { chars, passes_star }
    }

    fn read(&self) -> Result<Vec<char>, String> {
        let mut found = Vec::new();
        let mut state = State::Idle;
        let mut at = 0;
        while let Some(&c) = self.chars.get(at) {
            let next = self.chars.get(at + 1).copied();
            if state == State::Word
                && !(c.is_ascii_alphanumeric() || "$_".contains(c) || !c.is_ascii())
            {
                state = State::Idle;
            }
            match state {
                State::Word => {}
                State::Literal(true) if c == '\\' => at += 1,
                State::Literal(_) if c == '\'' => state = State::Idle,
                State::Name if c == '"' => state = State::Idle,
                State::Line if c == '\n' => state = State::Idle,
                State::Dollar(from, length) if c == '$' => {
                    let tag = &self.chars[from..from + length];
                    if self.chars[at..].starts_with(tag) {
                        at += length - 1;
                        state = State::Idle;
                    }
                }
                State::Block(depth) => match (c, next) {
                    ('/', Some('*')) => {
                        at += 1;
                        state = State::Block(depth + 1);
                    }
                    ('*', Some('/')) => {
                        at += 1;
                        state = if depth > 1 {
                            State::Block(depth - 1)
                        } else {
                            State::Idle
                        };
                    }
                    _ => {}
                },
                State::Idle => match (c, next) {
                    ('@', _) if self.says("@@identity", at) => {
                        return Err(
                            "the ODBC driver takes `@@identity` for a word of its own; write a blank after the operator @@"
                                .to_owned(),
                        );
                    }
                    ('\'', _) => {
                        let before = at.checked_sub(1).and_then(|before| self.chars.get(before));
                        state = State::Literal(before == Some(&'E'));
                    }
                    ('"', _) => state = State::Name,
                    ('-', Some('-')) => {
                        at += 1;
                        state = State::Line;
                    }
                    ('/', Some('*')) => {
                        at += usize::from(self.passes_star);
                        state = State::Block(1);
                    }
                    ('$', _) => {
                        if let Some(length) = self.tag(at) {
                            state = State::Dollar(at, length);
                            at += length - 1;
                        }
                    }
                    (c, _) if MARKS.contains(&c) => found.push(c),
                    (c, _) if c.is_ascii_alphanumeric() || !c.is_ascii() => state = State::Word,
                    _ => {}
                },
                State::Literal(_) | State::Name | State::Line | State::Dollar(..) => {}
            }
            at += 1;
        }
        // A line's comment ends with the line that what follows begins on.
        match state {
            State::Idle | State::Word | State::Line => Ok(found),
            _ => Err(disagreement()),
        }
    }

    fn says(&self, word: &str, at: usize) -> bool {
        let letters = self.chars[at..].iter().take(word.len());
        letters.collect::<String>().eq_ignore_ascii_case(word)
    }

    /// The length of a `$tag$` that begins here. The driver's tags have no underscores.
    fn tag(&self, at: usize) -> Option<usize> {
        let rest = &self.chars[at + 1..];
        let length = rest
            .iter()
            .position(|c| c.is_ascii() && !c.is_ascii_alphanumeric())?;
        (rest[length] == '$').then_some(length + 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_quotes_and_comments_is_no_mark() {
        for text in [
            "a = '? {'",
            "\"a?{b}\" = 1",
            "a = $$ ? $$ AND b = $x$ { $x$",
            "a = 1 -- ?\n AND b = 2 /* ? /* { */ } */",
            r"a = E'it\'s ?'",
            "é? = 1",
            "a = 1 -- ?",
        ] {
            let marks = marks(text);
            let expected = match text.starts_with('é') {
                true => vec!['?'],
                false => Vec::new(),
            };
            assert_eq!(marks, Ok(expected), "{text}");
        }
        assert_eq!(
            marks("a ? b AND {d '2024-01-01'} > c"),
            Ok(vec!['?', '{', '}'])
        );
    }

    #[test]
    fn what_the_driver_does_not_know_is_read_as_it_reads_it() {
        // A tag with an underscore is not a quote to it.
        assert_eq!(marks("a = $x_y$ ? $x_y$"), Ok(vec!['?']));
        for text in [
            r"a = e'it\'s'",
            "a = 1 /*/ ? */",
            "tags @@identity_query",
            r"a LIKE'\'",
        ] {
            assert!(marks(text).is_err(), "{text}");
        }
        assert_eq!(marks("tags @@ identity_query"), Ok(Vec::new()));
    }
}
