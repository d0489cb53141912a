//! Columns that come and go between two runs of a table.
