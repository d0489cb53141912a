//! The only place for Parquet.
