//! SQL text for each source platform: pure.
//!
//! No string comparison with a platform's name stands outside [`for_platform`].

mod postgres_family;
pub mod transaction;

use crate::domain::table::{
    Content, DateUnit, KeyColumn, KeyKind, KeyRange, Platform, QueryModifiers, Slice, SourceColumn,
    TableRef, WrittenName,
};
use crate::domain::table_plan::ExtractSpec;
use crate::types::{ColumnPlan, PlannedColumn};
use postgres_family::PostgresFamily;
use transaction::{Opening, TransactionSettings};

/// The SQL of one platform. Every name that enters a statement is quoted here.
pub trait Dialect: Send + Sync {
    /// The exact name that a written one means: quotes or brackets taken off, or folded as the platform folds.
    fn exact_name(&self, written: &WrittenName) -> String;

    /// Quotes an exact name.
    fn quote_name(&self, exact: &str) -> String;

    /// Quotes text as a literal.
    fn quote_text(&self, text: &str) -> String;

    /// How each transaction on the source begins.
    fn opening(&self, settings: &TransactionSettings) -> Opening;

    /// Opens a cursor of this name over a query, within a transaction.
    fn declare_cursor(&self, name: &str, query: &str) -> String;

    /// The next rows of a cursor.
    fn fetch_forward(&self, name: &str, rows: usize) -> String;

    /// The most rows that one fetch may ask for.
    fn most_fetched_rows(&self) -> usize;

    /// A statement whose rows of one text say so where a policy hides rows of the table from this login; with
    /// [`hides_rows`](Self::hides_rows). `None`: the platform refuses such a statement by itself.
    fn policy_query(&self, scope: &Scope<'_>) -> Option<String>;

    /// Whether a row of [`policy_query`](Self::policy_query) says that rows are hidden.
    fn hides_rows(&self, line: &str) -> bool;

    /// What the server is, and the time by its clock in seconds since 1970: one row of two texts.
    fn server_query(&self) -> &'static str;

    /// The time by the server's clock when the statement runs, and not when its transaction began, as one row of four
    /// texts: in UTC and in the session's zone, both in the form of [`KeyKind::Timestamp`], and the days before these, in
    /// the form of [`KeyKind::Date`].
    fn clock_query(&self) -> &'static str;

    /// Whether the session's connection is encrypted, as one text, `true` or `false`. `None`: the platform does not tell.
    fn encryption_query(&self) -> Option<&'static str>;

    /// How the column at `index` travels into a target of type `target`; without one, into the default target.
    fn plan_column(
        &self,
        column: &SourceColumn,
        index: usize,
        target: Option<&str>,
    ) -> PlannedColumn;

    /// The platform's own names of a type, from a name that users write: `INTEGER` is `int4`. Lower case, without
    /// arguments; an array's is its element's and `[]`.
    fn type_name(&self, written: &str) -> String;

    /// Whether values of the type with this name, one of the platform's own, are spans of time.
    fn is_interval(&self, type_name: &str) -> bool;

    /// The platform's own name of a type of text that nothing bounds.
    fn text_type(&self) -> &'static str;

    /// Whether the platform keeps two rows from having the same primary key.
    fn enforces_keys(&self) -> bool;

    /// Result columns, all as text: name, type name, length or precision, scale or digits of a fraction of a second,
    /// nullable (`true`/`false`: see [`SourceColumn::nullable`]), class (`base`, `array`, `enum`, `composite`), the
    /// column's comment, computed, identity (both `true`/`false`), the table's comment in each row, whether the type has
    /// a binary form (`true`/`false`).
    /// In table order; no row: the table does not exist or is not visible.
    fn columns_query(&self, table: &TableRef) -> String;

    /// Queries for estimates, best first; each gives at most one row of (rows, bytes) as text. A query that fails
    /// or gives no row passes on to the next. Those that ask the catalog speak of the whole table.
    fn estimate_queries(&self, scope: &Scope<'_>) -> Vec<String>;

    /// What the catalog calls unique, and the numbers of the columns, as rows of text: `column`, name, number; or
    /// `primary` or `unique`, name, the columns' numbers in order with commas between.
    fn constraints_query(&self, table: &TableRef) -> String;

    /// All tables and views of the users, in the order of their names, as rows of text: a name of the catalog's own, schema
    /// and name (both exact), kind ([`RelationKind`](crate::plan::relations::RelationKind)), number of columns, number of
    /// those that it has not from a parent, its parents (names of the catalog's own with commas between), and what of it
    /// the login may read: `all`, `some` (of its columns) or `none`.
    fn relations_query(&self) -> String;

    /// Tables whose rows are outside of the source, and which its catalog does not have among the others: rows of (schema,
    /// table). `None`: there are none.
    fn external_tables_query(&self) -> Option<&'static str>;

    /// The table, the tables whose rows come with it (but not the partitions of a partitioned one), and those that its own
    /// rows come with: rows of (`table`, `child` or `parent`; schema, name, kind, number of columns that it has not from a
    /// parent), all as text. `None`: tables of this platform have no relatives.
    fn relatives_query(&self, table: &TableRef) -> Option<String>;

    /// What has the table's name or its schema's but for upper and lower case: rows of (`schema` or the relation's kind,
    /// schema, name, whether the login may use the schema: `true`/`false`, number of columns), all as text.
    fn lookalikes_query(&self, table: &TableRef) -> String;

    /// Each column of the table, whether the login may read it, and whether it may use the schema (both `true`/`false`), as
    /// far as the catalog tells.
    fn privileges_query(&self, table: &TableRef) -> String;

    /// How the source lays out a table's rows, as rows of (column, place in the sort key or 0, whether rows are
    /// distributed by it: `true`/`false`), all as text. `None`: the platform knows neither.
    fn layout_query(&self, table: &TableRef) -> Option<String>;

    /// What a column's values are as a key or a watermark; `None`: they have no order that both ends agree on.
    fn key_kind(&self, column: &SourceColumn) -> Option<KeyKind>;

    /// The first keys of partitions 2..=n of the scope, ascending, each key column as text that
    /// [`key_text::read`](crate::types::key_text::read) takes; possibly fewer
    /// than n - 1 rows. Rows with a NULL in the key take no part. `share`: from about this part of the rows.
    fn boundary_query(&self, scope: &Scope<'_>, partitions: u64, share: Option<f64>) -> String;

    /// The units of the calendar that the scope has rows of, by a column of dates or times, as rows of (the unit's
    /// first value, rows), both as text, ascending. Units of times with a zone are those of UTC. Rows with a NULL in the key
    /// take no part.
    fn date_units_query(&self, scope: &Scope<'_>, column: &KeyColumn, unit: DateUnit) -> String;

    /// Keys that divide the units of [`date_units_query`](Self::date_units_query) into about equal parts of at most so many
    /// rows; ascending, and none where a unit has no more. Each key column as for
    /// [`boundary_query`](Self::boundary_query).
    fn unit_boundary_query(
        &self,
        scope: &Scope<'_>,
        column: &KeyColumn,
        unit: DateUnit,
        rows: u64,
    ) -> String;

    /// The longest value of each text in bytes of UTF-8: what buffers must hold. `encoding`: the database's own, as the
    /// [`Opening`] tells it.
    fn longest_query(&self, scope: &Scope<'_>, expressions: &[&str], encoding: &str) -> String;

    /// The first row, in the key's order, in which a text has these bytes in the database's own encoding: NULL and each
    /// key column as text. At most one row. `hex`: the bytes.
    fn bytes_query(&self, scope: &Scope<'_>, expression: &str, hex: &str) -> String;

    /// The value of an aggregate over the scope, as text: one row of one column.
    fn aggregate_query(&self, scope: &Scope<'_>, aggregate: &str) -> String;

    /// The largest value of a column, as text that [`key_text::read`](crate::types::key_text::read) takes: one row of one
    /// column, NULL where there is none.
    fn maximum_query(&self, scope: &Scope<'_>, column: &KeyColumn) -> String;

    /// One row if the scope has any.
    fn any_row_query(&self, scope: &Scope<'_>) -> String;

    /// Aggregates that see any change of any value of any row of a set of rows, whatever the order of the rows; best
    /// first, because a version of the platform may lack what one needs. Never NULL. A text of `count:hash`.
    fn checksum_aggregates(&self, columns: &[SourceColumn]) -> Vec<String>;

    /// The user's own aggregate in the same form: `count:value`, never NULL.
    fn counted_aggregate(&self, expression: &str) -> String;

    /// Rows and aggregates of each range, in one scan: rows of (index in `ranges` as a number, count and each
    /// aggregate as text), for the ranges that have rows. The ranges are those of one table as [`crate::plan::ranges`] orders them, without
    /// a gap; those of the scope and its window bound them.
    fn partition_summary_query(
        &self,
        scope: &Scope<'_>,
        ranges: &[KeyRange],
        aggregates: &[&str],
    ) -> String;

    /// Statements for before and after a [`Self::partition_summary_query`] in its transaction, where the platform would
    /// take it the long way. `None`: it does not.
    fn around_summary(&self) -> Option<[&'static str; 2]>;

    /// The transactions that run now and may yet commit rows that they wrote before, as rows of one text. `None`: on
    /// this platform what is not committed is not below what is.
    fn running_transactions_query(&self) -> Option<&'static str>;

    /// The first row, in the key's order, whose value of a date or timestamp column lies outside the years 1 to 9999
    /// (infinities too): the value and each key column, all as text; those of the key as
    /// [`key_text::read`](crate::types::key_text::read) takes them. At most one row.
    fn time_outside_years_query(&self, scope: &Scope<'_>, column: &ColumnPlan) -> String;

    /// The statement that extracts the scope. Column order is that of `columns`.
    fn extraction_query(&self, scope: &Scope<'_>, columns: &[ColumnPlan]) -> String;
}

/// Which rows of a table a statement reads.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The table.
    pub table: &'a TableRef,
    /// The partition key.
    pub key: &'a [KeyColumn],
    /// The part of the table.
    pub range: &'a KeyRange,
    /// The part of that which the watermark leaves.
    pub window: Option<Window<'a>>,
    /// The user's predicate.
    pub where_clause: Option<&'a str>,
    /// The user's pieces of SQL.
    pub modifiers: &'a QueryModifiers,
}

impl<'a> Scope<'a> {
    /// The rows that a slice moves.
    pub fn of(extract: &'a ExtractSpec, slice: &'a Slice) -> Self {
        let watermark = match slice.content {
            Content::Rows => extract.watermark.as_ref(),
            // Whatever stands there now is not gone.
            Content::Keys => None,
        };
        Self {
            table: &extract.source,
            key: &extract.key,
            range: &slice.range,
            window: watermark.map(|watermark| Window {
                column: &watermark.column,
                after: slice.after.as_deref(),
                upto: (!watermark.moves_above).then_some(watermark.upto.as_str()),
                with_nulls: watermark.moves_nulls,
            }),
            where_clause: extract.where_clause.as_deref(),
            modifiers: &extract.query_modifiers,
        }
    }
}

/// Rows by their watermark: above `after`, and not above `upto`. Without `after` those without a watermark too, whatever
/// the catalog says of the column.
#[derive(Clone, Copy, Debug)]
pub struct Window<'a> {
    /// The column.
    pub column: &'a KeyColumn,
    /// Exclusive; `None`: from the beginning.
    pub after: Option<&'a str>,
    /// Inclusive; `None`: to the end.
    pub upto: Option<&'a str>,
    /// Rows without a watermark too, also with `after`.
    pub with_nulls: bool,
}

/// The dialect of a platform.
///
/// # Errors
/// That the platform is not supported yet.
pub fn supported(platform: Platform) -> Result<&'static dyn Dialect, String> {
    for_platform(platform).ok_or_else(|| format!("{platform} is not supported yet"))
}

/// The dialect of a platform; `None`: not supported yet.
pub fn for_platform(platform: Platform) -> Option<&'static dyn Dialect> {
    match platform {
        Platform::Redshift => Some(&PostgresFamily { is_redshift: true }),
        Platform::Postgresql => Some(&PostgresFamily { is_redshift: false }),
        Platform::Sqlserver => None,
    }
}
