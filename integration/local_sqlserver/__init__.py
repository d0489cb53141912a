"""A local SQL Server: the TDS protocol in front of an engine of its own that holds every type exactly. A stand-in for tests."""
