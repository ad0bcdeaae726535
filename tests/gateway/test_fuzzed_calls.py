"""Whatever a caller with a key sends is answered or refused, never an error of ours (facts/security 1 row 17)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.filters import OPERATORS, WORDS
from tests.fuzz import cases
from tests.gateway.bodies import FORM, JSON, form_body
from tests.gateway.hosting import Connected, hosting

COLUMNS = ["ID", "PRICE", "STATUS", "DAY", "MOMENT", "FLAG"]


@pytest.fixture(scope="module")
def deals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connected]:
    folder = tmp_path_factory.mktemp("fuzz")
    with sqlite3.connect(folder / "deals.sqlite") as database:
        database.execute(
            "CREATE TABLE deals (id int, price decimal, status text, day date, moment datetime, flag boolean)"
        )
        database.execute("INSERT INTO deals VALUES (1, 2.5, 'new', '2025-01-02', '2025-01-02 03:04:05', 1)")
    database.close()
    with hosting(folder, log_level="ERROR") as host:
        yield host.connect("sqlite", {"path": "deals.sqlite"})


TEXTS = st.one_of(
    st.sampled_from(
        ["", "0", "1", "-1", "1.5", "1e300", "1e-300", "9" * 30, "new", "%", "_", "\\", "'", '"', "\0", "💶"]
    ),
    st.sampled_from(
        ["2025-01-02", "31.12.2025 23:59:59", "12/31/2025 11:59:59 pm", "9999-12-31", "0001-01-01 00:00:01"]
    ),
    st.text(max_size=5),
)
LEAVES = st.one_of(TEXTS, st.booleans(), st.none(), st.integers(), st.floats(allow_nan=False, allow_infinity=False))
VALUES = st.one_of(LEAVES, st.lists(LEAVES, max_size=3))
KEYS = st.builds(str.__add__, st.sampled_from(sorted(OPERATORS)), st.sampled_from([*COLUMNS, "MISSING", ""]))
SPELLED = st.fixed_dictionaries(
    {"operator": st.sampled_from([*WORDS, "NOT_IN", "=", "><", "?"])},
    optional={"value": VALUES, "from": LEAVES, "to": LEAVES},
)
LISTED = st.fixed_dictionaries(
    {"COLUMN": st.sampled_from([*COLUMNS, "MISSING"]), "OPERATOR": st.sampled_from([*WORDS, "NOT_EQUALS", "?"])},
    optional={"VALUE": VALUES},
)
FILTERS = st.recursive(
    st.dictionaries(KEYS, st.one_of(VALUES, SPELLED), max_size=3),
    lambda inner: st.dictionaries(
        st.one_of(KEYS, st.sampled_from(["LOGIC", "logic", "0", "1", "999999999999"])),
        st.one_of(inner, LISTED, VALUES, st.sampled_from(["AND", "OR", "or", "XOR"])),
        max_size=3,
    ),
    max_leaves=6,
)
CALLS = st.fixed_dictionaries(
    {},
    optional={
        "table": st.one_of(st.just("deals"), st.just("deals"), TEXTS),
        "name": TEXTS,
        "select": st.one_of(st.lists(st.sampled_from([*COLUMNS, "MISSING"]), max_size=4), VALUES),
        "filter": st.one_of(FILTERS, FILTERS, VALUES),
        "limit": LEAVES,
        "mapFields": st.one_of(st.dictionaries(TEXTS, st.sampled_from(COLUMNS), max_size=2), VALUES),
        "searchString": TEXTS,
    },
)


@given(
    call=CALLS,
    url=st.sampled_from(["urlData", "urlData", "urlData", "urlTableDescription", "urlTableList", "urlCheck"]),
    as_json=st.booleans(),
)
@settings(max_examples=cases(600))
def test_a_call_is_answered_or_refused(deals: Connected, call: dict[str, Any], url: str, as_json: bool) -> None:
    fields = {**call, "connection": {"key": deals.issued.key}}
    path = urlsplit(deals.issued.urls[url]).path
    try:
        body = json.dumps(fields).encode() if as_json else form_body(fields)
    except UnicodeEncodeError:
        # Half a surrogate pair: only JSON's escapes can carry it.
        return
    answer = deals.post(path, body, JSON if as_json else FORM)
    assert answer.status_code in (200, 400), (answer.status_code, answer.data)
    if answer.status_code == 200 and url == "urlData":
        rows = json.loads(answer.data)
        assert rows[0]
        assert {len(row) for row in rows} == {len(rows[0])}
