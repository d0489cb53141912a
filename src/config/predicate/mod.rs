//! Pieces of SQL that users bring. They are not parsed, only kept from reaching beyond the
//! place that they are put into.

mod scan;

use super::driver_reading;
use crate::domain::table::Platform;
use crate::platform::{self, Lexicon};
use scan::{Scan, is_operator, is_word};

/// What a piece of SQL is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Stands inside parentheses, and on lines of its own.
    Predicate,
    /// The same, with a value.
    Expression,
    /// Stands between other words on their line; may be a comment, which is where some sources take hints from.
    Modifier,
    /// Like an expression, in Snowflake's SQL.
    Snowflake,
}

/// Stands for a placeholder in a piece that is checked.
pub(super) const MARK: char = '\u{f8ff}';

/// Checks that `text` is one closed piece of SQL, so that it means the same wherever it is put. Of a platform that is not
/// known, only Snowflake's pieces are checked.
///
/// # Errors
/// What is wrong and what to write instead.
pub(super) fn check(
    text: &str,
    piece: Piece,
    platform: impl Into<Option<Platform>>,
) -> Result<(), String> {
    check_marked(text, piece, platform).map(drop)
}

/// The same; answers how many [`MARK`]s stand outside of quotes and comments.
///
/// # Errors
/// As [`check`].
pub(super) fn check_marked(
    text: &str,
    piece: Piece,
    platform: impl Into<Option<Platform>>,
) -> Result<usize, String> {
    let lexicon = match (piece, platform.into()) {
        (Piece::Snowflake, _) => &Lexicon::SNOWFLAKE,
        (_, Some(platform)) => platform::settings(platform).lexicon(),
        (_, None) => return Ok(text.matches(MARK).count()),
    };
    // Nothing but the driver keeps a `?` or a brace from being sent, and quotes are read as everywhere but there.
    let goes_through_driver = lexicon.driver_reads_marks;
    let mut num_marks = 0;
    let what = match piece {
        Piece::Predicate => "one predicate",
        Piece::Expression | Piece::Snowflake => "one expression",
        Piece::Modifier => "a part of one statement",
    };
    let mut scan = Scan {
        chars: text.chars().peekable(),
        lexicon,
    };
    let mut depth = 0_usize;
    let mut is_empty = true;
    let mut word_before = String::new();
    let mut operator_before = String::new();
    let mut marks = Vec::new();
    // Nothing but space and comments since a literal with escapes.
    let mut follows_escaped = false;
    while let Some(c) = scan.chars.next() {
        let next = scan.chars.peek().copied();
        let mut is_comment = false;
        match c {
            '\0' => return Err("it has a NUL character".to_owned()),
            MARK => num_marks += 1,
            '/' if next == Some('/') && piece == Piece::Snowflake => {
                return Err("a `//` begins a comment; write /* … */".to_owned());
            }
            ';' => {
                return Err(format!(
                    "a `;` is allowed inside quotes only: this is {what}, not a list of statements"
                ));
            }
            '-' if next == Some('-') && piece == Piece::Modifier => {
                return Err(
                    "a comment up to the line's end would hide the rest of the statement; write /* … */"
                        .to_owned(),
                );
            }
            '(' => depth += 1,
            ')' => {
                depth = depth
                    .checked_sub(1)
                    .ok_or("a `)` closes nothing; balance the parentheses")?;
            }
            '?' if goes_through_driver => {
                let after = scan.chars.clone().take_while(|c| is_operator(*c));
                let operator: String = operator_before.chars().chain(['?']).chain(after).collect();
                return Err(no_operator(&operator, lexicon));
            }
            '{' | '}' if goes_through_driver => {
                scan.escape(c, marks.last().copied())?;
                marks.push(c);
            }
            '\'' => {
                let escaped = word_before.eq_ignore_ascii_case("e");
                scan.literal(escaped, follows_escaped)?;
                follows_escaped |= escaped;
            }
            '"' => scan.doubled('"', "a quoted name")?,
            '[' if lexicon.has_bracketed_names => scan.doubled(']', "a bracketed name")?,
            // A number takes no $ into itself.
            '$' if lexicon.has_dollar_quotes
                && !word_before.starts_with(|c: char| !c.is_ascii_digit()) =>
            {
                scan.dollar_quoted()?;
            }
            '-' if next == Some('-') => {
                is_comment = true;
                scan.line_comment()?;
            }
            '/' if next == Some('*') => {
                is_comment = true;
                scan.block_comment()?;
            }
            _ => {}
        }
        follows_escaped &= is_comment || c.is_ascii_whitespace() || c == '\'';
        is_empty &= (is_comment && piece != Piece::Modifier) || c.is_whitespace();
        if is_word(c) || (c == '$' && !word_before.is_empty()) {
            word_before.push(c);
        } else {
            word_before.clear();
        }
        if is_operator(c) && !is_comment {
            operator_before.push(c);
        } else {
            operator_before.clear();
        }
    }
    if is_empty {
        return match piece {
            Piece::Predicate => Err("it is empty; omit the key to take all rows".to_owned()),
            Piece::Expression | Piece::Snowflake => {
                Err("it is empty; omit the key or fill it in".to_owned())
            }
            // How a table does without the modifier that it would inherit.
            Piece::Modifier => Ok(0),
        };
    }
    if depth > 0 {
        return Err(format!(
            "{depth} `(` without a `)`; balance the parentheses"
        ));
    }
    if goes_through_driver {
        if marks.last() == Some(&'{') {
            return Err("a `{` is not closed; close it with }".to_owned());
        }
        if driver_reading::marks(text)? != marks {
            return Err(driver_reading::disagreement());
        }
    }
    Ok(num_marks)
}

/// What to write in the place of an operator with a `?`, which the ODBC driver takes for a parameter.
fn no_operator(operator: &str, lexicon: &Lexicon) -> String {
    let known = lexicon
        .operator_functions
        .iter()
        .find(|(known, _)| *known == operator);
    let query = lexicon
        .operator_query
        .map(|query| query.replace('%', operator));
    let function = match (query, known) {
        (Some(query), None) => {
            format!("write the operator's function: {query} names it")
        }
        (Some(query), Some((_, instead))) => format!(
            "write the operator's function: of jsonb {instead}; of other types {query} names it"
        ),
        (None, _) => "put it in quotes, or write a function in its place".to_owned(),
    };
    format!(
        "the ODBC driver takes a `?` outside of quotes for a parameter, so that `{operator}` cannot be sent; {function}"
    )
}

#[cfg(test)]
mod tests;
