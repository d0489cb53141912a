"""Times of seven digits, and offsets: no digit is lost on the way, and comparisons see each."""

from __future__ import annotations

import pyarrow as pa
import pytest

from .test_loading import copy, parquet, stage  # noqa: F401

TIMES = {
    "at": ["0001-01-01 00:00:00.0000001", "9999-12-31 23:59:59.9999999", "2024-02-29 12:00:00.1234567", None],
    "tod": ["00:00:00.0000001", "23:59:59.9999999", "12:00:00.1234567", None],
    "zoned": ["2024-02-28 22:00:00.0000001 -14:00", "9999-12-31 09:59:59.9999999 +14:00", "2024-01-01 00:00:00 +05:45", None],
}
CASTS = '$1:"at"::TIMESTAMP_NTZ(7), $1:"tod"::TIME(7), $1:"zoned"::TIMESTAMP_TZ(7)'
FORMATS = (
    "TO_TIMESTAMP_NTZ($1:\"at\"::VARCHAR, 'YYYY-MM-DD HH24:MI:SS.FF7'), TO_TIME($1:\"tod\"::VARCHAR, 'HH24:MI:SS.FF7'), "
    "TO_TIMESTAMP_TZ($1:\"zoned\"::VARCHAR, 'YYYY-MM-DD HH24:MI:SS.FF7 TZH:TZM')"
)


@pytest.mark.parametrize("select", [CASTS, FORMATS])
def test_every_digit_and_offset_arrives(stage, select):  # noqa: F811
    name = "CASTS" if select == CASTS else "FORMATS"
    stage.upload("@results/w/", f"{name}.parquet", parquet(**{n: pa.array(v) for n, v in TIMES.items()}))
    stage.rows(f"CREATE TABLE {name} (at TIMESTAMP_NTZ(7), tod TIME(7), zoned TIMESTAMP_TZ(7))")
    stage.rows(copy(name, "at, tod, zoned", select, f"{name}.parquet"))
    assert [row[:2] for row in stage.rows(f"DESCRIBE TABLE {name}")] == [
        ["AT", "TIMESTAMP_NTZ(7)"], ["TOD", "TIME(7)"], ["ZONED", "TIMESTAMP_TZ(7)"],
    ]  # fmt: skip
    assert stage.rows(f"SELECT at, tod FROM {name} ORDER BY at") == [
        ["0001-01-01 00:00:00.0000001", "00:00:00.0000001"],
        ["2024-02-29 12:00:00.1234567", "12:00:00.1234567"],
        ["9999-12-31 23:59:59.9999999", "23:59:59.9999999"],
        [None, None],
    ]
    # In the order of the instants, with the offset that was given.
    assert stage.rows(f"SELECT zoned FROM {name} ORDER BY zoned") == [
        ["2023-12-31 18:15:00.0000000 +05:45"],
        ["2024-02-29 12:00:00.0000001 -14:00"],
        ["9999-12-30 19:59:59.9999999 +14:00"],
        [None],
    ]
    stage.rows(f"DELETE FROM {name} WHERE at >= '2024-02-29 12:00:00.1234567'::TIMESTAMP_NTZ(9)")
    assert stage.rows(f"SELECT COUNT(at) FROM {name}") == [["1"]]
    stage.rows(f"DELETE FROM {name} WHERE zoned < '2024-02-29 12:00:00.0000001 +00:00'::TIMESTAMP_TZ(9)")
    assert stage.rows(f"SELECT COUNT(at) FROM {name}") == [["1"]]


def test_what_is_no_time_is_refused(stage):  # noqa: F811
    stage.rows("CREATE TABLE REFUSED (at TIMESTAMP_NTZ(7))")
    for number, text in enumerate(["2024-02-30 00:00:00.0000001", "2024-01-01 00:00:00.00000001", "2024-01-01"]):
        stage.upload("@results/w/", f"refused{number}.parquet", parquet(at=pa.array([text])))
        answer = stage.query(copy("REFUSED", "at", '$1:"at"::TIMESTAMP_NTZ(7)', f"refused{number}.parquet"))
        assert not answer["success"], text
    assert stage.rows("SELECT COUNT(*) FROM REFUSED") == [["0"]]
