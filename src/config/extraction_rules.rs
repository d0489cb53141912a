//! Which ways out of the source a table may take.

use super::findings::shown;
use super::merge::text_at;
use super::table::{Merged, TableCheck};
use crate::domain::problem::Code;
use crate::platform;

/// Strategies of other platforms, with theirs.
const FOREIGN: [(&str, &str); 4] = [
    ("write_nos", "teradata"),
    ("tpt", "teradata"),
    ("dbms_cloud", "oracle"),
    ("export_data", "bigquery"),
];

impl TableCheck<'_> {
    /// The strategy, and what belongs to it.
    pub(super) fn extraction(&mut self, table: &Merged<'_>) {
        let (strategy, stage) = ("extraction.strategy", "extraction.externalStage");
        self.other_strategies(table, strategy);
        if table.is(strategy, "unload") {
            match self
                .platform
                .filter(|platform| !platform::settings(*platform).has_unload())
            {
                None => {
                    self.not_yet(table, strategy, "\"unload\"", "write \"regular\"");
                }
                Some(platform) => {
                    let message = format!(
                        "\"unload\" is for {} only, and the source is {platform}; write \"regular\"",
                        platform::names(|other| platform::settings(other).has_unload())
                    );
                    self.wrong(table, strategy, &message);
                }
            }
            if !table.has(stage) {
                self.missing(
                    table,
                    stage,
                    "\"unload\" needs the fully qualified name of its stage here",
                );
            }
            if let Some(name) = text_at(table.merged, stage)
                && num_parts(name) != 3
            {
                let message = format!(
                    "`{}` is not fully qualified; write DATABASE.SCHEMA.STAGE",
                    shown(name)
                );
                self.wrong(table, stage, &message);
            }
        } else if table.has(stage) && !table.has(strategy) {
            self.require_companion_of(table, stage, strategy, "unload");
        }
    }

    fn other_strategies(&mut self, table: &Merged<'_>, strategy: &str) {
        let backend = "extraction.storageBackend";
        let word = text_at(table.merged, strategy);
        match word {
            Some("cloud_direct") => {
                self.not_yet(table, strategy, "\"cloud_direct\"", "write \"regular\"");
            }
            Some("cet_as") => self.wrong(
                table,
                strategy,
                Code::UNSUPPORTED_SETTING.says("\"cet_as\" has SQL Server or Azure Synapse write the files, and is not supported yet, as \"cloud_direct\" is not, which would do the same by a worker; write \"regular\""),
            ),
            Some(word) => {
                if let Some((_, platform)) = FOREIGN.iter().find(|(name, _)| *name == word) {
                    let own = self.platform.map_or_else(String::new, |own| {
                        format!(", and the source is {own}")
                    });
                    let message = format!(
                        "\"{word}\" is for sources of the platform {platform}, which is not supported yet{own}; write \"regular\""
                    );
                    self.wrong(table, strategy, Code::UNSUPPORTED_SETTING.says(message));
                }
            }
            None => {}
        }
        if table.has(backend) && word != Some("cloud_direct") {
            self.wrong(
                table,
                backend,
                Code::UNSUPPORTED_SETTING.says("it says where \"cloud_direct\" writes files, which is not supported yet: files go to the stage of the metadata; remove it"),
            );
        }
    }
}

/// Parts of a dotted name, whose quoted parts may have dots inside.
fn num_parts(name: &str) -> usize {
    let mut in_quotes = false;
    let mut parts = 1;
    for c in name.chars() {
        match c {
            '"' => in_quotes = !in_quotes,
            '.' if !in_quotes => parts += 1,
            // What follows is a path.
            '/' if !in_quotes => break,
            _ => {}
        }
    }
    parts
}
