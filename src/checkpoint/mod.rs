//! The checkpoint: its contract and its hybrid tables.
