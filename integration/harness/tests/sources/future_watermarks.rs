//! Watermarks that lie in the future, or go back.
