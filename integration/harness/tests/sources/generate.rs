//! `workflow generate` on inheritance trees, and what it leaves out.
