"""Whatever is sent, the answer is one that a portal could give; whatever happens at once, nothing is lost."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.config import EmulatorConfig
from emulator.rest.methods import METHODS
from tests.emulator.portals import CONNECTOR, DATASET, EmulatedPortal
from tests.fuzz import cases

NAMES = [
    "id",
    "title",
    "name",
    "fields",
    "settings",
    "code",
    "type",
    "externalCode",
    "visible",
    "logic",
    "0",
    "@id",
    "%title",
]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(
        [10**400, -(10**400), "1e999", "9" * 5000, "", "0", "OR", "int", "STRING", "ASC", "$result[a][b]"]
    )
    | st.text(max_size=20)
)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=8), inner, max_size=5)
    ),
    max_leaves=15,
)
PARAMETERS = st.sampled_from(
    [
        "fields",
        "id",
        "select",
        "filter",
        "order",
        "page",
        "add",
        "update",
        "delete",
        "cmd",
        "halt",
        "event",
        "handler",
        "name",
    ]
)


@settings(max_examples=cases(400))
@given(
    method=st.sampled_from([*METHODS, "batch"]),
    params=st.dictionaries(PARAMETERS, JSON, max_size=5),
    nearly=st.sampled_from([{}, CONNECTOR, {**DATASET, "sourceId": 1}]),
)
def test_no_input_breaks_a_method(method: str, params: dict[str, Any], nearly: dict[str, Any]) -> None:
    emulated = EmulatedPortal()
    emulated.add_dataset(emulated.add_source(emulated.add_connector()), name="existing")
    if isinstance(params.get("fields"), dict):
        params = {**params, "fields": {**nearly, **params["fields"]}}
    emulated.portal.connector(1).url_check = "http://127.0.0.1:1/"
    answer = emulated.post(method, user="admin", **params)
    assert answer.is_json
    body = answer.get_json()
    if answer.status_code != 200:
        assert {"error", "error_description"} <= set(body)
    assert answer.status_code in (200, 400, 403) or method == "biconnector.dataset.delete"


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": ' + b"[" * 100_000,
        b'\xef\xbb\xbf{"auth": "TOKEN"}',
        b'{"auth": "TOKEN", "a": "\\ud800"}',
        b'{"auth": "TOKEN", "a": NaN}',
    ],
    ids=["deep", "byte order mark", "half a letter", "NaN"],
)
def test_a_json_body_that_php_cannot_read_counts_as_empty(emulated: EmulatedPortal, body: bytes) -> None:
    whole = body.replace(b"TOKEN", emulated.token().encode())
    answer = emulated.http.post("/rest/profile", data=whole, content_type="application/json")
    assert (answer.status_code, answer.get_json()["error"]) == (401, "NO_AUTH_FOUND")


def test_a_text_that_no_file_can_hold_never_gets_into_the_state(tmp_path: Path) -> None:
    """One half of a surrogate pair in a title would keep the state file from being written ever again."""
    emulated = EmulatedPortal(config=EmulatorConfig(state_file=tmp_path / "portal.json"))
    body = json.dumps({"auth": emulated.token(), "fields": {**CONNECTOR, "title": "\ud800"}})
    emulated.http.post("/rest/biconnector.connector.add", data=body, content_type="application/json")
    assert emulated.call("biconnector.connector.list") == []


def test_fields_nested_deeper_than_php_reads_are_left_out(emulated: EmulatedPortal) -> None:
    form = {"auth": emulated.token(), "a" + "[b]" * 5000: "1"}
    assert emulated.http.post("/rest/profile", data=form).status_code == 200


def test_ids_are_unique_under_load(emulated: EmulatedPortal) -> None:
    token = emulated.token()

    def add(number: int) -> int:
        client = emulated.app.test_client(use_cookies=False)
        fields = {**CONNECTOR, "title": f"Connector {number}"}
        answer = client.post("/rest/biconnector.connector.add", json={"auth": token, "fields": fields})
        added: int = answer.get_json()["result"]["id"]
        return added

    with ThreadPoolExecutor(max_workers=8) as pool:
        ids = list(pool.map(add, range(200)))
    assert sorted(ids) == list(range(1, 201))
    assert len(emulated.portal.connectors()) == 200
