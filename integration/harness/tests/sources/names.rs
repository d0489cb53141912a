//! Names of columns and tables that are written without their quotes, or that look like ours.
