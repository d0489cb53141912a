//! Where quotes and comments end in a platform's SQL: what the check of users' pieces of SQL needs to know.

/// The lexical rules in which platforms differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lexicon {
    /// Whether `[…]` quotes a name.
    pub has_bracketed_names: bool,
    /// Whether `$tag$…$tag$` is a literal.
    pub has_dollar_quotes: bool,
    /// Whether a backslash escapes in a literal with an `E` before it.
    pub has_escape_literals: bool,
    /// Whether a setting decides what a backslash before a quote means in a plain literal.
    pub has_ambiguous_backslash: bool,
    /// Whether the ODBC driver reads `?` and `{…}` in a statement that has no parameters.
    pub driver_reads_marks: bool,
    /// What to write in the place of an operator with a `?`: the operator, and a call that means the same.
    pub operator_functions: &'static [(&'static str, &'static str)],
    /// How to find the function of any other operator; `%` stands for the operator.
    pub operator_query: Option<&'static str>,
}

impl Lexicon {
    /// Snowflake's own rules, for pieces of SQL that run there.
    pub const SNOWFLAKE: Self = Self {
        has_bracketed_names: false,
        has_dollar_quotes: true,
        has_escape_literals: true,
        has_ambiguous_backslash: true,
        driver_reads_marks: false,
        operator_functions: &[],
        operator_query: None,
    };
}
