"""Values of Parquet that are neither rounded nor shown as something near them."""

from __future__ import annotations

import base64
import zlib
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from drivers.errors import SettingsWrong
from drivers.query import Between, Comparison, IsNull, TableName
from tests.drivers.files.samples import opened, table_of, written
from tests.suite.databases import read

#: A column `big` of decimals with 50 digits, which DuckDB does not write.
LONG_DECIMALS = zlib.decompress(
    base64.b85decode(
        "c-pm7O-tlJ5UsRLh$1oy)pQ_-uxM~4el55wGM9?Zpt!TE!^j|r5HmxZ!#cC$>Rk7-zr(9Pz@M;34<0;t5YKz_u;9&)?qoiM(Srvc"
        "p{u)Jb-kDBWP^(H$kD~|uPVS8KqhNI3f7JYIEKPkd<IQ49cgtKX?1c1Oun!?I;w_2R}<VY2AC>Q!fZ!rsswoQQ2%hh^VcsH?(TOd"
        "FK!n9e|yXuz^`umRPn`ZiI4rbx>bJOl;7{v&Mts752O9+j}SQ^pJ0;JDu5$6g-j0Y)#8aEw6Nmu=u!88+m7vf;Hbk3U}kKck4$iJ"
        "Ziq|6TlK8B_0HCB56JWlWK_t0G;I&KBDKg!TSPlaRQ@q>$-Fb>T^sM;t=GMYGcLGiiBk@?BZsM2{9ay4`zU|2S&c6-DQr@Tb)psp"
        "G3AM3T23em0-}PREEBCI8@)*BG}!8{3nf)_QB88Ix%MHwpe}T&pca;+R4?e%Yo&TCYtQm?37Jp$Z3<eck6h1hK>JCIdVZ*@8kTih"
        "Oe@LxsBJ|fpNt^gM%es$RQ)v_H5$`lvsrJs$JORxt$yHs`aCl?GjID2fO_DM`YJZm5Bdb8_65Q"
    )
)


def test_decimals_of_more_digits_than_are_read_exactly_are_refused(tmp_path: Path) -> None:
    written(tmp_path, "t.parquet", LONG_DECIMALS)
    with pytest.raises(SettingsWrong) as wrong:
        opened(tmp_path, path="t.parquet")
    assert (wrong.value.code, wrong.value.detail) == ("too_many_digits", "column big: 50 digits")


@pytest.mark.parametrize("type_name", ["TIMESTAMP_NS", "TIMESTAMPTZ_NS"])
def test_fractions_of_nanoseconds_are_cut_also_before_1970(tmp_path: Path, type_name: str) -> None:
    """docs/user/drivers.md: fractions are cut; a second that is rounded up may be the next year's."""
    moments = ("2026-12-31 23:59:59.999999999", "1969-12-31 23:59:59.999999999", "1960-01-01 00:00:00.000000001")
    values = ", ".join(f"('{moment}'::{type_name})" for moment in moments)
    duckdb.execute(f"SET TimeZone = 'UTC'; COPY (FROM (VALUES {values}) t(d)) TO '{tmp_path}/t.parquet'")
    types, rows = table_of(tmp_path, "t", path="t.parquet")
    assert list(types.values()) == ["datetime"]
    assert rows == [["2026-12-31 23:59:59"], ["1969-12-31 23:59:59"], ["1960-01-01 00:00:00"]]


def test_numbers_of_four_bytes_are_shown_and_found_with_their_own_digits(tmp_path: Path) -> None:
    values = "(1, 19.99::FLOAT), (2, 0.1::FLOAT), (3, 16777216::FLOAT)"
    duckdb.execute(f"COPY (FROM (VALUES {values}) t(id, x)) TO '{tmp_path}/t.parquet'")
    with opened(tmp_path, path="t.parquet") as session:
        assert read(session, TableName("", "t"), ["x"]) == [[19.99], [0.1], [16777216]]
        assert read(session, TableName("", "t"), ["id"], Between("x", Decimal("19.99"), 20)) == [[1]]


def test_a_uuid_has_no_case(tmp_path: Path) -> None:
    known = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
    duckdb.execute(f"COPY (SELECT '{known}'::UUID AS u) TO '{tmp_path}/t.parquet'")
    with opened(tmp_path, path="t.parquet") as session:
        assert read(session, TableName("", "t"), ["u"], Comparison("u", "=", known.upper())) == [[known]]


@pytest.mark.parametrize("type_name", ["DOUBLE", "FLOAT"])
def test_what_is_no_number_is_found_as_nothing_whatever_statistics_say(tmp_path: Path, type_name: str) -> None:
    values = f"(1, 1.5::{type_name}), (2, 'nan'::{type_name}), (3, 1.5::{type_name})"
    duckdb.execute(f"COPY (FROM (VALUES {values}) t(id, x)) TO '{tmp_path}/t.parquet'")
    table = TableName("", "t")
    with opened(tmp_path, path="t.parquet") as session:
        assert read(session, table, ["id"], IsNull("x")) == [[2]]
        assert read(session, table, ["id"], IsNull("x", negated=True)) == [[1], [3]]
        assert read(session, table, ["id"], Comparison("x", "=", Decimal("1.5"))) == [[1], [3]]
        assert read(session, table, ["id"], Comparison("x", "!=", 7)) == [[1], [3]]
