"""SQL for the tests of integration/harness, by PostgreSQL's and Snowflake's own Python drivers: what snowhaul did is
judged by clients that it shares no code with. See __main__ for the protocol."""
