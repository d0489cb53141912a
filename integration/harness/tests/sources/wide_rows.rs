//! Rows of a megabyte stay within the task's memory.
