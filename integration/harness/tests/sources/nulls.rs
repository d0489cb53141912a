//! NULL in columns that the catalog calls NOT NULL.
