//! Sources whose tables change while they are migrated.
