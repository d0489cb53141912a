//! SQL Server as a source: values, keys, strategies, faults, what users see. Against the local SQL Server, or a real one with
//! `SNOWHAUL_TEST_SQLSERVER` (an ODBC connection string).

mod columns;
mod consistency;
mod faults;
mod keys;
mod long_values;
mod names;
mod refused;
mod seen;
mod synchronization;
mod values;
