//! Starts the local servers and the real binary for the tests in `tests/`.
