//! Loads by primary key: rows are staged in a transient table of the attempt, and go from there into the target by one
//! statement. Its texts. Pure.
//!
//! MERGE lets a row that matches twice win at random, or fails, and inserts rows that match nothing as often as they come
//! (documentation of MERGE, "Duplicate join behavior"): keys that are not unique are looked for before.

/// A column of the primary key in the target.
#[derive(Clone, Debug)]
pub struct MergeKey {
    /// Quoted name.
    pub name: String,
    /// Whether NULL can occur; it then equals NULL.
    pub nullable: bool,
}

impl MergeKey {
    fn equals(&self, one: &str, other: &str) -> String {
        let name = &self.name;
        if self.nullable {
            format!("EQUAL_NULL({one}.{name}, {other}.{name})")
        } else {
            format!("{one}.{name} = {other}.{name}")
        }
    }
}

fn on(key: &[MergeKey]) -> String {
    let terms: Vec<String> = key.iter().map(|column| column.equals("t", "s")).collect();
    terms.join(" AND ")
}

fn names(key: &[MergeKey]) -> String {
    let names: Vec<&str> = key.iter().map(|column| column.name.as_str()).collect();
    names.join(", ")
}

/// The staging table of whole rows: what the target refuses, it refuses too, and names the file.
pub fn create_staging(staging: &str, target: &str) -> String {
    format!("CREATE OR REPLACE TRANSIENT TABLE {staging} LIKE {target}")
}

/// The staging table of keys: these columns, quoted, as the target has them.
pub fn create_key_staging(staging: &str, target: &str, names: &[String]) -> String {
    format!(
        "CREATE OR REPLACE TRANSIENT TABLE {staging} AS SELECT {} FROM {target} WHERE FALSE",
        names.join(", ")
    )
}

/// Removes it.
pub fn drop_staging(staging: &str) -> String {
    format!("DROP TABLE IF EXISTS {staging}")
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

/// Staged rows replace those with their key, and are added where there is none. `columns` are all, quoted.
pub fn merge(target: &str, staging: &str, key: &[MergeKey], columns: &[String]) -> String {
    let is_key = |column: &&String| key.iter().any(|k| k.name == **column);
    let set: Vec<String> = columns
        .iter()
        .filter(|column| !is_key(column))
        .map(|column| format!("t.{column} = s.{column}"))
        .collect();
    let update = if set.is_empty() {
        String::new()
    } else {
        format!(" WHEN MATCHED THEN UPDATE SET {}", set.join(", "))
    };
    let values: Vec<String> = columns.iter().map(|column| format!("s.{column}")).collect();
    format!(
        "MERGE INTO {target} t USING {staging} s ON {}{update} WHEN NOT MATCHED THEN INSERT ({}) VALUES ({})",
        on(key),
        columns.join(", "),
        values.join(", ")
    )
}

/// Deletes the target's rows whose key is not staged.
pub fn delete_missing(target: &str, staging: &str, key: &[MergeKey]) -> String {
    format!(
        "DELETE FROM {target} t WHERE NOT EXISTS (SELECT 1 FROM {staging} s WHERE {})",
        on(key)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str, nullable: bool) -> MergeKey {
        MergeKey {
            name: name.to_owned(),
            nullable,
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
                &columns
            ),
            "MERGE INTO T t USING S s ON t.\"A\" = s.\"A\" AND EQUAL_NULL(t.\"B\", s.\"B\") \
             WHEN MATCHED THEN UPDATE SET t.\"V\" = s.\"V\" \
             WHEN NOT MATCHED THEN INSERT (\"A\", \"B\", \"V\") VALUES (s.\"A\", s.\"B\", s.\"V\")"
        );
    }

    #[test]
    fn a_table_of_keys_alone_has_nothing_to_update() {
        let sql = merge("T", "S", &[key("\"A\"", false)], &["\"A\"".to_owned()]);
        assert!(!sql.contains("UPDATE"), "{sql}");
    }
}
