"""Files that are replaced after they were published: each case with `steps` is asked through the endpoints.

A step names the file that lies there by then, the `filter` that a portal sends, and in `expect` the first cells of the
rows that come, or words: then only a refusal is right, or rows that the contract allows.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from tests.cases.test_files import FOLDER
from tests.gateway.hosting import hosting

FLIP = FOLDER / "type-flip"


def test_a_published_number_that_becomes_text_is_refused_and_never_compared_by_letters(tmp_path: Path) -> None:
    steps: list[dict[str, Any]] = json.loads((FLIP / "case.json").read_text())["steps"]
    shutil.copy(FLIP / "data.csv", tmp_path)
    with hosting(tmp_path) as host:
        connected = host.connect("file", {"path": "data.csv"})
        described = connected.call("urlTableDescription", {"table": "data"}).get_json()
        assert [column["type"] for column in described] == ["string", "int", "date"]
        comparison, bound = steps[0]["filter"]
        rows = connected.data(table="data", filter={comparison: bound})[1:]
        assert [row[0] for row in rows] == steps[0]["expect"]

        shutil.copy(FLIP / "data-2.csv", tmp_path / "data.csv")
        for asked in ({comparison: bound}, steps[2]["filter"], {}):
            answer = connected.call("urlData", {"table": "data", "filter": asked})
            assert answer.status_code >= 400, answer.get_data(as_text=True)
            assert host.calls()[-1].code == "type_changed"
            assert {"OSTATOK", "DATA"} & set(host.calls()[-1].reason.replace("(", " ").split())
        # What the text did not touch is answered all the same.
        assert len(connected.data(table="data", select=["TOVAR"])) == 5
