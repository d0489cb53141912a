//! A database that a migration reads, whatever its platform.

use crate::sql::Sql;
use std::fmt::Debug;

/// A database of a test's own.
pub trait Source: Debug + Sync {
    /// Its name.
    fn name(&self) -> &str;

    /// What `--source-platform` says of it, unless a test takes it as another one.
    fn platform(&self) -> &'static str;

    /// The schema of the test's tables.
    fn schema(&self) -> &'static str;

    /// Its name as a workflow's file writes it.
    fn written_name(&self) -> String;

    /// Name and password of its owner.
    fn login(&self) -> (&str, &str);

    /// Where its server listens for workers of this platform.
    fn port_of(&self, platform: &str) -> u16;

    /// The section of a worker's configuration that reaches this database as `platform`, at any port of this machine.
    fn section(&self, platform: &str, port: u16, user: &str, password: &str) -> String;

    /// A session of its owner, by a driver that is not snowhaul's.
    fn sql(&self) -> Sql;
}
