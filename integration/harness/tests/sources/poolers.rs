//! Connection poolers in transaction mode (PgBouncer).
