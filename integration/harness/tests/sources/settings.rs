//! The user's SQL sees the settings that any other client sees, and values do not depend on them.
