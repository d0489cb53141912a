//! What real sources do: row-level security, NOT NULL that is no promise, watermarks from the future, poolers, settings,
//! encodings, inheritance, columns that come and go. In each case every row and every value arrives, or the migration says
//! which do not.

mod column_changes;
#[path = "../faults/connection.rs"]
mod connection;
mod encodings;
mod future_watermarks;
mod generate;
mod inferred_keys;
mod large_objects;
mod names;
mod nulls;
mod poolers;
mod redshift;
mod remedies;
mod row_security;
mod runs;
mod schema_changes;
mod settings;
mod wide_rows;
