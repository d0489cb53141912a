//! Loads by primary key: rows are staged in a transient table of the attempt, and go from there into the target by one
//! statement. Its texts. Pure.
//!
//! MERGE lets a row that matches twice win at random, or fails, and inserts rows that match nothing as often as they come
//! (documentation of MERGE, "Duplicate join behavior"): keys that are not unique are looked for before.
//!
//! What deletes rows because they are not staged, or adds rows without a trace of how many it has looked at, counts the
//! staged rows in the same statement: a staging table that is seen empty, or in part, moves nothing
//! (documentation of Transactions, "Read consistency across sessions").

/// A column of the primary key in the target.
#[derive(Clone, Debug)]
pub struct MergeKey {
    /// Quoted name.
    pub name: String,
    /// Whether NULL can occur; it then equals NULL.
    pub nullable: bool,
    /// Whether the target compares it by a collation. The source has told its values apart by all their characters.
    pub collated: bool,
}

impl MergeKey {
    fn equals(&self) -> String {
        let name = &self.name;
        let target = match self.collated {
            // An empty specification takes the column's away (documentation of COLLATE).
            true => format!("COLLATE(t.{name}, '')"),
            false => format!("t.{name}"),
        };
        if self.nullable {
            format!("EQUAL_NULL({target}, s.{name})")
        } else {
            format!("{target} = s.{name}")
        }
    }
}

fn on(key: &[MergeKey]) -> String {
    let terms: Vec<String> = key.iter().map(MergeKey::equals).collect();
    terms.join(" AND ")
}

fn names(key: &[MergeKey]) -> String {
    let names: Vec<&str> = key.iter().map(|column| column.name.as_str()).collect();
    names.join(", ")
}

/// The staging table of columns with their target types: what is too long for the target is refused here, and the file is
/// named. Its text has no collation, whatever the defaults of its schema are.
pub fn create_staging(staging: &str, columns: &[(String, String)]) -> String {
    let list: Vec<String> = columns
        .iter()
        .map(|(name, target_type)| format!("{name} {}", without_collation(target_type)))
        .collect();
    format!(
        "CREATE OR REPLACE TRANSIENT TABLE {staging} ({}) DEFAULT_DDL_COLLATION = ''",
        list.join(", ")
    )
}

/// Removes it.
pub fn drop_staging(staging: &str) -> String {
    format!("DROP TABLE IF EXISTS {staging}")
}

/// How many rows are staged.
pub fn count_staged(staging: &str) -> String {
    format!("SELECT COUNT(*) FROM {staging}")
}

/// One key that several staged rows have, as text columns, and how many; no row: all are different.
pub fn duplicate_key(staging: &str, key: &[MergeKey]) -> String {
    let texts: Vec<String> = key
        .iter()
        .map(|column| format!("{}::VARCHAR", column.name))
        .collect();
    format!(
        "SELECT {}, COUNT(*) FROM {staging} GROUP BY {} HAVING COUNT(*) > 1 LIMIT 1",
        texts.join(", "),
        names(key)
    )
}

/// Staged rows replace those with their key, and are added where there is none. `columns` are all, quoted; of `rows` staged
/// rows nothing may be missing.
pub fn merge(
    target: &str,
    staging: &str,
    key: &[MergeKey],
    columns: &[String],
    rows: u64,
) -> String {
    let is_key = |column: &&String| key.iter().any(|k| k.name == **column);
    let set: Vec<String> = columns
        .iter()
        .filter(|column| !is_key(column))
        .map(|column| format!("t.{column} = s.{column}"))
        .collect();
    let list = columns.join(", ");
    let (source, update) = if set.is_empty() {
        // Rows that are there already leave no trace in the answer.
        let counted = format!("(SELECT {list} FROM {staging} QUALIFY COUNT(*) OVER () = {rows})");
        (counted, String::new())
    } else {
        let update = format!(" WHEN MATCHED THEN UPDATE SET {}", set.join(", "));
        (staging.to_owned(), update)
    };
    let values: Vec<String> = columns.iter().map(|column| format!("s.{column}")).collect();
    format!(
        "MERGE INTO {target} t USING {source} s ON {}{update} WHEN NOT MATCHED THEN INSERT ({list}) VALUES ({})",
        on(key),
        values.join(", ")
    )
}

/// Deletes the target's rows whose key is not among the `rows` staged ones.
pub fn delete_missing(target: &str, staging: &str, key: &[MergeKey], rows: u64) -> String {
    format!(
        "DELETE FROM {target} t WHERE NOT EXISTS (SELECT 1 FROM {staging} s WHERE {}) AND ({}) = {rows}",
        on(key),
        count_staged(staging)
    )
}

/// Whether a type, as DESCRIBE TABLE shows it, has a collation.
pub fn is_collated(target_type: &str) -> bool {
    collation(target_type).is_some_and(|place| target_type[place..].trim_end() != "COLLATE ''")
}

fn without_collation(target_type: &str) -> &str {
    collation(target_type).map_or(target_type, |place| target_type[..place].trim_end())
}

/// Where the collation of a type begins.
fn collation(target_type: &str) -> Option<usize> {
    let place = target_type.to_ascii_uppercase().find(" COLLATE ")?;
    Some(place + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(name: &str, nullable: bool) -> MergeKey {
        MergeKey {
            name: name.to_owned(),
            nullable,
            collated: false,
        }
    }

    #[test]
    fn rows_are_replaced_by_a_composite_key() {
        let columns = ["\"A\"", "\"B\"", "\"V\""].map(str::to_owned);
        assert_eq!(
            merge(
                "T",
                "S",
                &[key("\"A\"", false), key("\"B\"", true)],
                &columns,
                7
            ),
            "MERGE INTO T t USING S s ON t.\"A\" = s.\"A\" AND EQUAL_NULL(t.\"B\", s.\"B\") \
             WHEN MATCHED THEN UPDATE SET t.\"V\" = s.\"V\" \
             WHEN NOT MATCHED THEN INSERT (\"A\", \"B\", \"V\") VALUES (s.\"A\", s.\"B\", s.\"V\")"
        );
    }

    #[test]
    fn a_table_of_keys_alone_has_nothing_to_update_and_counts_what_it_reads() {
        assert_eq!(
            merge("T", "S", &[key("\"A\"", false)], &["\"A\"".to_owned()], 7),
            "MERGE INTO T t USING (SELECT \"A\" FROM S QUALIFY COUNT(*) OVER () = 7) s ON t.\"A\" = s.\"A\" \
             WHEN NOT MATCHED THEN INSERT (\"A\") VALUES (s.\"A\")"
        );
    }

    #[test]
    fn a_key_that_the_target_collates_is_compared_exactly() {
        let collated = MergeKey {
            collated: true,
            ..key("\"A\"", true)
        };
        assert_eq!(
            delete_missing("T", "S", &[collated], 7),
            "DELETE FROM T t WHERE NOT EXISTS (SELECT 1 FROM S s WHERE EQUAL_NULL(COLLATE(t.\"A\", ''), s.\"A\")) \
             AND (SELECT COUNT(*) FROM S) = 7"
        );
    }

    #[test]
    fn a_staging_table_has_no_collation() {
        let columns = [
            ("\"A\"", "VARCHAR(10) COLLATE 'en-ci'"),
            ("\"N\"", "NUMBER(3,1)"),
        ]
        .map(|(name, target_type)| (name.to_owned(), target_type.to_owned()));
        assert_eq!(
            create_staging("S", &columns),
            "CREATE OR REPLACE TRANSIENT TABLE S (\"A\" VARCHAR(10), \"N\" NUMBER(3,1)) DEFAULT_DDL_COLLATION = ''"
        );
        assert!(is_collated("VARCHAR(10) COLLATE 'en-ci'"));
        assert!(!is_collated("VARCHAR(10)") && !is_collated("VARCHAR(10) COLLATE ''"));
    }

    proptest! {
        /// Whatever the columns: where the answer does not say how many staged rows a statement has looked at, it counts
        /// them itself, and nothing else does.
        #[test]
        fn every_statement_that_may_miss_rows_in_silence_counts_them(
            keys in 1usize..4,
            others in 0usize..4,
            nullable: bool,
            collated: bool,
            rows: u64,
        ) {
            let name = |index: usize| format!("\"C{index}\"");
            let key: Vec<MergeKey> = (0..keys)
                .map(|index| MergeKey { name: name(index), nullable, collated })
                .collect();
            let columns: Vec<String> = (0..keys + others).map(name).collect();
            let merged = merge("T", "S", &key, &columns, rows);
            prop_assert_eq!(merged.contains(&format!("COUNT(*) OVER () = {rows})")), others == 0);
            prop_assert_eq!(merged.contains("WHEN MATCHED"), others > 0);
            let deleted = delete_missing("T", "S", &key, rows);
            let guard = format!(" AND (SELECT COUNT(*) FROM S) = {rows}");
            prop_assert!(deleted.ends_with(&guard));
            for sql in [merged, deleted] {
                // Of each comparison the target's side alone has a collation to lose.
                prop_assert_eq!(sql.matches("COLLATE(t.").count(), if collated { keys } else { 0 });
                prop_assert!(!sql.contains("COLLATE(s."));
            }
        }
    }
}
