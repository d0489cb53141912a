//! Pieces of SQL that users bring: predicates and type names. They are not parsed, only kept from reaching beyond the
//! place that they are put into.

use super::driver_reading;
use crate::domain::table::Platform;
use std::iter::Peekable;
use std::str::Chars;

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

/// Checks that `text` is one closed piece of the source's SQL, so that it means the same wherever it is put.
///
/// # Errors
/// What is wrong and what to write instead.
pub(super) fn check(text: &str, piece: Piece, platform: Platform) -> Result<(), String> {
    check_marked(text, piece, platform).map(drop)
}

/// The same; answers how many [`MARK`]s stand outside of quotes and comments.
///
/// # Errors
/// As [`check`].
pub(super) fn check_marked(text: &str, piece: Piece, platform: Platform) -> Result<usize, String> {
    // Nothing but the driver keeps a `?` or a brace from being sent, and quotes are read as everywhere but there.
    let goes_through_driver = piece != Piece::Snowflake && platform != Platform::Sqlserver;
    let platform = match piece {
        // It takes a backslash for an escape, as Redshift may.
        Piece::Snowflake => Platform::Redshift,
        _ => platform,
    };
    let mut num_marks = 0;
    let what = match piece {
        Piece::Predicate => "one predicate",
        Piece::Expression | Piece::Snowflake => "one expression",
        Piece::Modifier => "a part of one statement",
    };
    let mut scan = Scan {
        chars: text.chars().peekable(),
        platform,
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
                return Err(no_operator(&operator, platform));
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
            '[' if platform == Platform::Sqlserver => scan.doubled(']', "a bracketed name")?,
            // A number takes no $ into itself.
            '$' if platform != Platform::Sqlserver
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
            Piece::Predicate => Err("it is empty; leave the key away to take all rows".to_owned()),
            Piece::Expression | Piece::Snowflake => {
                Err("it is empty; leave the key away or fill it in".to_owned())
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
fn no_operator(operator: &str, platform: Platform) -> String {
    let instead = match (platform, operator) {
        (Platform::Postgresql, "?") => "jsonb_exists(data, 'key')",
        (Platform::Postgresql, "?|") => "jsonb_exists_any(data, ARRAY['a', 'b'])",
        (Platform::Postgresql, "?&") => "jsonb_exists_all(data, ARRAY['a', 'b'])",
        (Platform::Postgresql, "@?") => "jsonb_path_exists(data, '$.a', '{}', true)",
        _ => "",
    };
    let function = match (platform, instead) {
        (Platform::Postgresql, "") => format!(
            "write the operator's function: SELECT oprcode FROM pg_operator WHERE oprname = '{operator}' names it"
        ),
        (Platform::Postgresql, instead) => format!(
            "write the operator's function: of jsonb {instead}; of other types SELECT oprcode FROM pg_operator WHERE oprname = '{operator}' names it"
        ),
        _ => "put it in quotes, or write a function in its place".to_owned(),
    };
    format!(
        "the ODBC driver takes a `?` outside of quotes for a parameter, so that `{operator}` cannot be sent; {function}"
    )
}

/// What PostgreSQL's operators are made of.
fn is_operator(c: char) -> bool {
    "+-*/<>=~!@#%^&|`?".contains(c)
}

/// What names and the tags of dollar quotes are made of: for PostgreSQL, whatever is not ASCII (its lexer, `ident_cont` and
/// `dolq_cont`), be it a letter or not.
fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii()
}

struct Scan<'a> {
    chars: Peekable<Chars<'a>>,
    platform: Platform,
}

impl Scan<'_> {
    /// The rest of a `'…'`. Whether a backslash escapes depends on the platform and on an `E` before the literal, which
    /// PostgreSQL carries on to the literal on the next line, the same one for it (section 4.1.2.1 of its manual).
    fn literal(&mut self, escaped: bool, follows_escaped: bool) -> Result<(), String> {
        let escaped = escaped && self.platform != Platform::Sqlserver;
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
            if is_after_backslash && self.platform == Platform::Redshift {
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
    fn escape(&mut self, brace: char, mark_before: Option<char>) -> Result<(), String> {
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
    fn doubled(&mut self, end: char, what: &str) -> Result<(), String> {
        while let Some(c) = self.chars.next() {
            if c == end && self.chars.next_if_eq(&end).is_none() {
                return Ok(());
            }
        }
        Err(format!("{what} does not end; close it with {end}"))
    }

    /// The rest of a `$tag$…$tag$`; a `$` that begins none is left alone.
    fn dollar_quoted(&mut self) -> Result<(), String> {
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
    fn line_comment(&mut self) -> Result<(), String> {
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
    fn block_comment(&mut self) -> Result<(), String> {
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

/// Checks the shape of a Snowflake type, which stands unquoted in statements: words, numbers, and parentheses.
///
/// # Errors
/// What is wrong.
pub(super) fn check_type(text: &str) -> Result<(), String> {
    let text = text.trim();
    let wrong = || {
        Err(format!(
            "`{}` is no Snowflake type; write one like NUMBER(19,4) or VARCHAR",
            super::findings::shown(text)
        ))
    };
    if !text.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return wrong();
    }
    let mut depth = 0_usize;
    for c in text.chars() {
        match c {
            '(' => depth += 1,
            ')' if depth > 0 => depth -= 1,
            ',' if depth > 0 => {}
            ' ' | '_' => {}
            c if c.is_ascii_alphanumeric() => {}
            _ => return wrong(),
        }
    }
    if depth > 0 { wrong() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: [Platform; 3] = [
        Platform::Redshift,
        Platform::Postgresql,
        Platform::Sqlserver,
    ];

    #[test]
    fn closed_predicates_are_accepted() {
        for text in [
            "is_deleted = 0",
            "note = 'a;b) -- ''' AND (x > 1 OR \"od;d(\" = 2)",
            "a = 1 -- why",
            "a = 1 -- why\r\n AND b = 2 -- why\r",
            "a = 1 /* ( ' /* nested */ */",
            "price - -1 > 0",
        ] {
            for platform in ALL {
                assert_eq!(
                    check(text, Piece::Predicate, platform),
                    Ok(()),
                    "{text} on {platform}"
                );
            }
        }
        assert_eq!(
            check("[a;b]]c(] = 1", Piece::Predicate, Platform::Sqlserver),
            Ok(())
        );
        assert_eq!(
            check(
                r"a = E'it\'s;' AND b = $$;'$$ AND c$d = 1",
                Piece::Predicate,
                Platform::Postgresql
            ),
            Ok(())
        );
        assert_eq!(
            check(r"path = 'C:\'", Piece::Predicate, Platform::Postgresql),
            Ok(())
        );
        assert_eq!(
            check(r"path = 'C:\'", Piece::Predicate, Platform::Sqlserver),
            Ok(())
        );
    }

    #[test]
    fn what_the_driver_would_take_for_a_parameter_is_refused_with_what_to_write() {
        for (text, instead) in [
            ("data ? 'vip'", "jsonb_exists(data, "),
            ("data ?| array['a']", "jsonb_exists_any("),
            ("data?&array['a']", "jsonb_exists_all("),
            ("data @? '$.a'", "jsonb_path_exists("),
            ("a ?-| b", "oprname = '?-|'"),
            ("?- a", "oprname = '?-'"),
            ("a operator(pg_catalog.?) 'x'", "jsonb_exists("),
            ("a = $x_y$ ? $x_y$", "without a tag"),
        ] {
            for piece in [Piece::Predicate, Piece::Expression, Piece::Modifier] {
                let problem = check(text, piece, Platform::Postgresql).expect_err(text);
                assert!(problem.contains(instead), "{text}: {problem}");
            }
            assert!(check(text, Piece::Predicate, Platform::Redshift).is_err());
        }
        for text in [
            "a = '?' AND \"b?\" = $$?$$ -- ?",
            "a = 1 /* ? */ AND b = U&'\\003F ?'",
            r"a = E'it\'s ?'",
            "d > {d '2024-01-01'} AND {fn lower(a)} = 'x' AND t > { ts '2024-01-01 00:00:00' }",
            "tags && '{a,b}'",
        ] {
            assert_eq!(
                check(text, Piece::Predicate, Platform::Postgresql),
                Ok(()),
                "{text}"
            );
        }
        for text in [
            "a > {x}",
            "{",
            "}",
            "a > {d '2024-01-01'",
            "{d {d '2024-01-01'}}",
        ] {
            for platform in [Platform::Redshift, Platform::Postgresql] {
                assert!(check(text, Piece::Predicate, platform).is_err(), "{text}");
            }
        }
    }

    #[test]
    fn what_reaches_beyond_its_place_is_refused() {
        for text in [
            "",
            " \n",
            "-- only a comment",
            "/**/",
            "1=1; DROP TABLE t",
            "a = 1) OR (1 = 1",
            "(a = 1",
            "a = 'open",
            "\"open",
            "/* open",
            "a\0",
            // PostgreSQL's comment ends at the carriage return.
            "a = 1 --\r OR b ;= 2",
        ] {
            for platform in ALL {
                assert!(
                    check(text, Piece::Predicate, platform).is_err(),
                    "{text} on {platform}"
                );
            }
        }
        assert!(check("[open", Piece::Predicate, Platform::Sqlserver).is_err());
        assert!(check("a = $x$ open", Piece::Predicate, Platform::Postgresql).is_err());
        for text in [
            "note = $😀$'$😀$) OR (1=1 --'",
            "EXISTS (SELECT 1 AS 😀$$) ); DROP TABLE t; /*$$) --*/",
            r"a = 😀E'\'' OR ';'",
            "a = \u{a0}$$ ; '$$ OR b = '",
        ] {
            for platform in [Platform::Redshift, Platform::Postgresql] {
                assert!(check(text, Piece::Predicate, platform).is_err(), "{text}");
            }
        }
        // Ends the literal or not, depending on a setting of the server.
        assert!(check(r"a = '\' OR 1=1 --'", Piece::Predicate, Platform::Redshift).is_err());
        assert!(check(r"a = E'\'' OR ';'", Piece::Predicate, Platform::Sqlserver).is_err());
        // One literal on two lines, with escapes in both.
        for between in ["\n", " -- why\n", "\n/* why */\n"] {
            let text = format!(r"a = E'x'{between}'\''; DROP TABLE t --'");
            assert!(check(&text, Piece::Predicate, Platform::Postgresql).is_err());
        }
    }

    #[test]
    fn types_are_words_numbers_and_parentheses() {
        for good in [
            "DECIMAL(19,4)",
            "double precision",
            "ARRAY(NUMBER(10, 0))",
            "TIMESTAMP_TZ(6)",
        ] {
            assert_eq!(check_type(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "(1)",
            "NUMBER, x INT",
            "NUMBER)",
            "VARCHAR(",
            "INT; DROP",
            "INT--",
            "\"x\"",
            "a'b",
        ] {
            assert!(check_type(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn modifiers_may_be_empty_or_comments_that_end() {
        for platform in ALL {
            for good in ["", " ", " WITH (NOLOCK)", "/*+ PARALLEL(4) */", "TOP 10"] {
                assert_eq!(check(good, Piece::Modifier, platform), Ok(()), "{good}");
            }
            for bad in ["TOP 1 -- why", "x; DROP", "(a", "a)", "/* open", "a\0"] {
                assert!(check(bad, Piece::Modifier, platform).is_err(), "{bad}");
            }
        }
    }

    #[test]
    fn an_expression_is_not_empty() {
        for bad in ["", "/* */", "max(x", "max(x))", "max(x); y"] {
            assert!(
                check(bad, Piece::Expression, Platform::Redshift).is_err(),
                "{bad}"
            );
        }
        assert_eq!(
            check("max(x)", Piece::Expression, Platform::Redshift),
            Ok(())
        );
    }

    proptest! {
        #[test]
        fn literals_hide_everything(text in "\\PC{0,30}") {
            let literal = format!("a = '{}'", text.replace('\\', "").replace('\'', "''"));
            for platform in ALL {
                prop_assert_eq!(check(&literal, Piece::Predicate, platform), Ok(()));
            }
        }

        #[test]
        fn nothing_panics(text in "[a$'\"\\[\\]()/*\\\\; E\\-é\n]{0,40}") {
            for platform in ALL {
                let _ = check(&text, Piece::Predicate, platform);
            }
        }
    }
}
