//! Columns that name large objects.
