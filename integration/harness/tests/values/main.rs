//! What arrives is what was there: types by value, values that cannot be, partitions, names, and the statements
//! themselves, through the real binary between real servers.

mod analysis;
mod checksums;
mod compared;
mod conversions;
mod date_partitions;
mod extremes;
mod keys;
mod names;
mod null_texts;
mod partitions;
mod postgres;
mod ranges;
mod redshift;
mod refused;
mod settings;
mod statements;
mod transforms;
mod types;
mod watermarks;
