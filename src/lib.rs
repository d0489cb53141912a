//! snowhaul moves whole tables from Amazon Redshift and PostgreSQL into Snowflake, stops and resumes
//! anywhere, and loses or doubles no row.
//!
//! The module map is the architecture, and `arrows.txt` says which module may use which. Pure modules do no I/O: [`domain`], [`plan`], [`platform`], [`types`].
//! One module per outside system: [`source`] (ODBC), [`mod@file`] (Parquet), [`snowflake`] (sessions),
//! [`checkpoint`] (the hybrid tables). What comes in kinds has a folder per kind: routes out of a source in [`extract`],
//! places of files in [`stage`], target tables in [`target`]. [`actors`] decide and delegate. [`app`] has what commands do, [`roles`]
//! put the processes together.
//! [`failpoint`] names each step that changes something outside; [`retry`](mod@retry) is the one loop of attempts.

#[cfg(test)]
mod arrows_tests;
#[cfg(test)]
mod documents_tests;

pub mod actors;
pub mod app;
pub mod checkpoint;
pub mod cli;
pub mod config;
pub mod domain;
pub mod extract;
pub mod failpoint;
pub mod file;
pub mod plan;
pub mod platform;
pub mod retry;
pub mod roles;
pub mod snowflake;
pub mod source;
pub mod stage;
pub mod target;
pub mod telemetry;
pub mod types;
