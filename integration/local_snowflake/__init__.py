"""A local Snowflake, for tests without an account.

fakesnow (an independent emulation of Snowflake on DuckDB) translates and runs the statements; this package
is the server in front of it, with what fakesnow lacks for a loader:

    login, sessions, tokens          login, server, app
    JSON and Arrow results           results            (fakesnow: Arrow only, NULL timestamps as 1970)
    one statement's way              session, commands, rewrite, engine
    statements seen before           templates, kept    (translating one takes longer than running it)
    query contexts                   query_context
    transactions over databases      transactions       (DuckDB: one written database per transaction)
    row locks that are waited for    writing            (DuckDB: fails at once)
    hybrid tables, declared types    definitions, ddl, notes, patches   (fakesnow: no HYBRID, no INDEX, NUMBER(38,0) as BIGINT)
    what there is, without a search  catalog            (DuckDB: through all databases at each question)
    stages that survive a restart    account, stages    (fakesnow: in memory; no LIST path, REMOVE, GET)
    times of 100 ns, offsets         exact_times
    COPY with Snowflake's checks     copy_into, copy_columns, copy_errors
    odd names                        names
    SHOW by edition, EXPLAIN         shows, warehouses  (fakesnow: other columns, two parameters)
    errors in Snowflake's words      errors
    faults on purpose                faults             (lost replies, resets, 5xx, expired tokens)
    as unfriendly as documented      unfriendly, collations

Run it:   scripts/local-snowflake start --data DIR
Test it:  "$VENV/bin/python" -m pytest -q integration/local_snowflake/tests

What it does not do
- READ COMMITTED within a transaction that wrote: DuckDB's snapshot stands from the first write in a database.
- A failed statement inside a transaction usually ends the transaction, as with TRANSACTION_ABORT_ON_ERROR,
  because DuckDB cannot undo one statement; if nothing was written in that database yet, it goes on.
  What follows in an ended transaction is answered with 000628, a code of the stand-in's own, COMMIT too.
- A transaction that meets a row changed after its first write in that database fails at once with 000625.
- The two databases of a transaction become visible one a moment after the other (both, or after a crash
  neither, are there at the end).
- TIMESTAMP_TZ keeps the instant, not the offset, but with seven digits; TIMESTAMP_LTZ is answered as TIMESTAMP_TZ in UTC; times have microseconds,
  but those of seven digits, which are held and answered as text (exact_times); VARIANT is JSON text.
- VARCHAR and BINARY lengths are checked by COPY only, not by INSERT, UPDATE and MERGE.
- Temporary stages, user and table stages, external stages, COPY from other formats than Parquet or with
  ON_ERROR other than ABORT_STATEMENT, client-side encrypted stages, S3 and Azure upload answers.
- QUERY_HISTORY, COPY_HISTORY and RESULT_SCAN of a statement (its result can be had by GET /queries/ID/result);
  SHOW TABLES does not say which are hybrid, INFORMATION_SCHEMA.TABLES does.
- Roles and grants: GRANT is accepted and means nothing; `--deny` refuses statements by pattern instead.
- Tables whose names differ only in case, and columns that do, are the same to DuckDB.
- Foreign keys and secondary indexes of hybrid tables; quotas; the limit on waiters for a lock.
- Streamlit, services, tasks, streams, time travel, warehouses: no statement about them does anything.
"""

import sys

# Snowflake's connector, which fakesnow needs, takes them if they are there, which is a fifth of the start.
for _unneeded in ("boto3", "botocore"):
    sys.modules.setdefault(_unneeded, None)  # type: ignore[arg-type]
