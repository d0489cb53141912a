//! Row-level security: a login that does not see all rows is told so.
