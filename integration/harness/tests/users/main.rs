//! What users type, and what they get for it: the real binary on the real local servers, right input and wrong.

mod bad_files;
mod command_line;
mod connection_kinds;
mod doctor;
mod failing_tables;
mod foreign_files;
mod habits;
mod keys;
mod later_keys;
mod logs;
mod metadata;
mod metadata_owners;
mod planning;
mod reaching;
mod retrying;
mod secrets;
mod site;
mod upgrade;
mod workflow_end;
