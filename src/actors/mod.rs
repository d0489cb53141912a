//! One file per actor; see `actors.md` for the tree.
