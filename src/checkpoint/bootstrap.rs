//! Creates the metadata objects at once, or upgrades older ones migration by migration.

use super::contract::*;
use super::hybrid::{HybridCheckpoint, Stored};
use super::schema;
use crate::failpoint::Step;

impl HybridCheckpoint {
    /// Creates the metadata objects, or upgrades older ones (numbered migrations). Safe when several start at once. One
    /// statement when they are there in this version's form; else it first looks whose objects of their names there are,
    /// and refuses those of another tool ([`CheckpointError::Foreign`]) before anything is written.
    ///
    /// # Errors
    /// As said, or why Snowflake cannot be asked.
    pub async fn bootstrap(&self) -> Result<(), CheckpointError> {
        self.create_or_upgrade().await?;
        self.create_worksheet_objects().await;
        Ok(())
    }

    async fn create_or_upgrade(&self) -> Result<(), CheckpointError> {
        let stored = self.stored_version().await?;
        if stored != Stored::Version(schema::VERSION) {
            // Before anything is written.
            self.refuse_foreign(stored.is_installed()).await?;
        }
        match stored {
            Stored::Version(found @ 1..) => self.upgrade(found).await,
            Stored::Version(0) => self.install().await,
            Stored::Nothing(_) => {
                self.prepare().await?;
                self.install().await
            }
        }
    }

    /// Creates all that is not there yet, in the form of this version.
    async fn install(&self) -> Result<(), CheckpointError> {
        tracing::info!(
            version = schema::VERSION,
            schema = self.s,
            "the metadata objects are created; hybrid tables take their time: this may take a minute, once"
        );
        for statement in &schema::creation(&self.s) {
            self.create(Step::BootstrapMigrate, statement).await?;
        }
        self.write_version(schema::VERSION).await
    }

    /// Leads older metadata, migration by migration, to this version.
    async fn upgrade(&self, mut found: u32) -> Result<(), CheckpointError> {
        self.refuse_newer(found)?;
        for (version, statements) in schema::migrations(&self.s) {
            if found >= version {
                continue;
            }
            self.migrate(version, &statements).await?;
            // Another orchestrator, which started at the same time, may have come further.
            found = self.found_version().await?;
        }
        Ok(())
    }

    /// The version that the metadata have; 0 before the first.
    async fn found_version(&self) -> Result<u32, CheckpointError> {
        let found = match self.stored_version().await? {
            Stored::Version(found) => found,
            Stored::Nothing(_) => 0,
        };
        self.refuse_newer(found)?;
        Ok(found)
    }

    fn refuse_newer(&self, found: u32) -> Result<(), CheckpointError> {
        if found > schema::VERSION {
            return Err(CheckpointError::Schema(format!(
                "the metadata in {} has version {found}, and this snowhaul knows version {}; start a newer snowhaul",
                self.s,
                schema::VERSION
            )));
        }
        Ok(())
    }

    async fn migrate(&self, version: u32, statements: &[String]) -> Result<(), CheckpointError> {
        tracing::info!(
            version,
            schema = self.s,
            "the metadata objects are upgraded; this may take a minute"
        );
        if version == 3 {
            self.rename_columns().await?;
        }
        for statement in statements {
            // Who was held up since the last look must not undo what others do by now.
            if schema::is_for_its_time(statement) && self.found_version().await? >= version {
                return Ok(());
            }
            self.create(Step::BootstrapMigrate, statement).await?;
        }
        self.write_version(version).await
    }

    /// Says that the metadata have this version: last, so that nobody works with what is not complete.
    async fn write_version(&self, version: u32) -> Result<(), CheckpointError> {
        let done = format!(
            "INSERT INTO {s}.SCHEMA_VERSION (VERSION) SELECT {version} WHERE NOT EXISTS (SELECT 1 FROM {s}.SCHEMA_VERSION WHERE VERSION = {version})",
            s = self.s
        );
        if let Err(error) = self.execute(Step::BootstrapVersion, &done).await {
            // Another orchestrator may have written the same row in this moment: then all is well.
            let rows = self
                .query(&format!(
                    "SELECT 1 FROM {}.SCHEMA_VERSION WHERE VERSION = {version}",
                    self.s
                ))
                .await?;
            if rows.is_empty() {
                return Err(error);
            }
        }
        Ok(())
    }

    /// Gives columns of older versions their new names. Where they have them, nothing that it sends can do anything.
    async fn rename_columns(&self) -> Result<(), CheckpointError> {
        for (table, column, name) in schema::RENAMED {
            if !self.has_column(table, column).await? {
                continue;
            }
            let rename = format!(
                "ALTER TABLE {}.{table} RENAME COLUMN {column} TO {name}",
                self.s
            );
            let renamed = self.create(Step::BootstrapMigrate, &rename).await;
            // Another orchestrator may have done it in this moment, or this one whose reply was lost.
            if renamed.is_err() && self.has_column(table, column).await? {
                return renamed;
            }
        }
        Ok(())
    }

    async fn has_column(&self, table: &str, column: &str) -> Result<bool, CheckpointError> {
        Ok(self.columns_of("TABLE", table).await?.contains(column))
    }
}
