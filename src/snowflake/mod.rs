//! The only place for Snowflake I/O: connection files, authentication, sessions, stage, copy.
