//! What users write: workflow files, the worker's and the orchestrator's TOML.
