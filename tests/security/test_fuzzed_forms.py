"""Whatever is sent to the forms of pages is answered in words, never by an error of ours (facts/security 1 row 17)."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from tests.doors import OWN, Stage, database, staged
from tests.fuzz import cases
from tests.security.test_routes import token_of

# Ids that are there, that are not, and that no database takes.
NUMBERS = ("1", "2", "999999", "99999999999999999999")
ODD_FIELDS = (
    "",
    "title[]",
    "_n",
    "_s",
    "_view",
    "page",
    "search",
    "settings-0-code",
    "settings-999999-code",
    "\0",
    "%00",
)
ODD_VALUES: tuple[str, ...] = (
    "",
    " ",
    "\0",
    "\ufeff",
    "\u200b",
    "\u202e",
    "\ud83d",
    "💶",
    "-1",
    "0",
    "1e400",
    "9" * 40,
    "NaN",
    "<script>",
    "${7*7}",
)
ODD_VALUES += (
    "{{7*7}}",
    "../../etc/passwd",
    "' OR 1=1 --",
    "\r\nSet-Cookie: a=b",
    "x" * 5000,
    "data:image/svg+xml,<svg/>",
    "postgresql://a:b@c/d",
)
DRIVERS = ("postgresql", "mysql", "sqlite", "file", "clickhouse", "mssql", "trino", "none")
VALUES = st.one_of(
    st.sampled_from(ODD_VALUES), st.sampled_from(DRIVERS), st.sampled_from(NUMBERS), st.text(max_size=30)
)
# A busy or absent portal, and a lock of ours.
LATER = 503


@dataclass(frozen=True)
class FuzzedStage:
    """The app with objects to change, the addresses that take forms, and the names of their fields."""

    stage: Stage
    token: str
    addresses: list[str]
    fields: list[str]


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FuzzedStage]:
    """On PostgreSQL, which is stricter about texts than SQLite."""
    folder: Path = tmp_path_factory.mktemp("forms")
    with database("postgresql", folder) as url, staged(url) as stage:
        stage.register()
        assert stage.install().status_code == 200
        stage.finish()
        stage.portal.control("demo")
        token = token_of(stage.enter("admin"))
        stage.services.connections.add(stage.member_id, "sqlite", "Shop", {"path": "shop.sqlite"})
        rules = [rule for rule in stage.app.url_map.iter_rules() if rule.endpoint.startswith("admin.")]
        client, fields = stage.app.test_client(), {"upload", "logoFile"}
        for rule in rules:
            page = client.get(re.sub(r"<[^>]+>", "1", rule.rule), headers={"X-App-Session": token}).text
            fields |= set(re.findall(r'\sname="([^"]+)"', page))
        posts = [rule.rule for rule in rules if rule.methods and "POST" in rule.methods]
        assert len(posts) > 20
        assert len(fields) > 60
        yield FuzzedStage(stage, token, sorted(posts), sorted(fields - {"_n", "_s", "_view"}))


@settings(max_examples=cases(200))
@given(data=st.data())
def test_a_form_is_answered_in_words(fuzzed: FuzzedStage, data: st.DataObject) -> None:
    rule = data.draw(st.sampled_from(fuzzed.addresses))
    address = re.sub(r"<[^>]+>", lambda _: data.draw(st.sampled_from(NUMBERS)), rule)
    names = st.one_of(st.sampled_from(fuzzed.fields), st.sampled_from(fuzzed.fields), st.sampled_from(ODD_FIELDS))
    pairs = data.draw(st.lists(st.tuples(names, VALUES), max_size=12))
    form: MultiDict[str, Any] = MultiDict((name, _sendable(value)) for name, value in pairs)
    if data.draw(st.booleans()):
        name = data.draw(st.sampled_from(["upload", "logoFile", "title", "settings-password"]))
        content = data.draw(
            st.sampled_from([b"", b"a,b\n1,2\n", b"\x89PNG\r\n\x1a\n", b"PK\x03\x04", b"\0" * 100, b"{"])
        )
        form.add(
            name,
            (io.BytesIO(content), data.draw(st.sampled_from(["a.csv", "..", "a/b.xlsx", "\u202efile", "x" * 300]))),
        )
    answer = fuzzed.stage.app.test_client().post(
        address, data=form, headers={"X-App-Session": fuzzed.token, **OWN}, content_type="multipart/form-data"
    )
    assert answer.status_code < 500 or answer.status_code == LATER, (address, pairs, answer.text[-1500:])


def _sendable(value: str) -> str:
    """The value as a browser would send it, which has no half of a surrogate pair."""
    return value.encode("utf-8", "replace").decode("utf-8")
