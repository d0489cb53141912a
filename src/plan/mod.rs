//! Cuts a table into disjoint ranges of its key, and memory into batches: pure.
