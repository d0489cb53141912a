//! What Redshift refuses and PostgreSQL takes.
