//! Orchestrator, worker and both in one process: build the clients, spawn the tree, drain on signals.
