//! The only place for ODBC.
