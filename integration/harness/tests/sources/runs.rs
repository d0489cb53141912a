//! `run` beside workflows that are there already.
