//! Keys: found where nobody names one, and of every kind; ranges and buckets mean the same rows.

mod boundaries;
mod buckets;
mod catalog;
mod inferred;
mod refused;
