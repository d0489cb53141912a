"""TPC-H from a local Redshift into a local Snowflake: what scripts/demo runs.

    tpch        the eight tables, and how they are cut
    fill        loads them into the source
    configure   writes the worker's configuration and the workflow
    compare     counts and checksums both sides, apart from snowhaul's code
    checksum    the queries of that
    source      the login at the source
"""
