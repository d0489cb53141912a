//! Files of data validation, which are distinguished from those of migrations: none of their keys is a mistake of its own.

use super::findings::Findings;
use super::schema::snake_case;
use crate::domain::problem::Code;
use serde_json::Value;

/// Keys of their top level that no migration has.
const KEYS: [&str; 16] = [
    "validationConfiguration",
    "comparisonConfiguration",
    "validationCustomMetrics",
    "validationCustomTypes",
    "validationCustomTypeRules",
    "acceptedTransformations",
    "useSnowpipeForResults",
    "sourcePlatform",
    "targetPlatform",
    "targetDatabase",
    "databaseMappings",
    "schemaMappings",
    "typeMappingFilePath",
    "views",
    "objects",
    "outputDirectoryPath",
];

/// Whether the file says what is to be validated: then only this is reported.
pub(super) fn refuse(file: &Value, findings: &mut Findings) -> bool {
    let Some(object) = file.as_object() else {
        return false;
    };
    let is_key = |written: &&String| {
        KEYS.iter()
            .any(|key| *key == written.as_str() || snake_case(key) == **written)
    };
    let is_named = |table: &Value| {
        ["fullyQualifiedName", "fully_qualified_name"]
            .iter()
            .any(|key| table.get(key).is_some())
    };
    let tables = object.get("tables").and_then(Value::as_array);
    let by_name = tables.is_some_and(|tables| tables.iter().any(is_named));
    let found = object.keys().find(is_key).map(String::as_str);
    let Some(key) = found.or(by_name.then_some("tables")) else {
        return false;
    };
    findings.problem(
        key,
        Code::DATA_VALIDATION.says("this is a file of data validation, which is not supported yet: this program moves tables, and compares what it has loaded with what it has extracted; write a migration workflow (the platform is named by --source-platform), and validate with the tool that the file is for"),
    );
    true
}
