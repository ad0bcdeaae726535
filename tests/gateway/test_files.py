"""Files that two portals uploaded, asked for through their endpoints."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import select

from models import Portal
from tests.drivers.files.workbooks import workbook
from tests.gateway.hosting import MEMBER_ID, Connected, Host, hosting


def uploaded(host: Host, folder: Path, member_id: str, rows: Sequence[Sequence[str | int]]) -> Connected:
    """A connection of a portal to a workbook that it uploaded as `sales.xlsx`."""
    with host.services.sessions() as session:
        portal_id = session.scalars(select(Portal.id).where(Portal.member_id == member_id)).one()
    workbook(folder / "sales.xlsx", {"Sheet1": rows})
    with (folder / "sales.xlsx").open("rb") as content:
        path = host.services.uploads.keep(portal_id, "sales.xlsx", content)
    return host.connect("file", {"path": path}, member_id)


def test_two_portals_whose_files_have_one_name_get_their_own_rows(tmp_path: Path) -> None:
    """facts/security 1 rows 7 and 22: no answer of one portal holds data of another."""
    with hosting(tmp_path) as host:
        host.services.installations.add_local("other")
        ours = uploaded(host, tmp_path, MEMBER_ID, [["name", "amount"], ["A-one", 1], ["A-two", 2]])
        theirs = uploaded(host, tmp_path, "other", [["name", "amount"], ["B-secret", 3], ["B-b", 4], ["B-c", 5]])
        own: list[list[str | int]] = [["NAME", "AMOUNT"], ["A-one", 1], ["A-two", 2]]
        for _ in range(2):
            assert ours.data(table="Sheet1") == own
            assert len(theirs.data(table="Sheet1")) == 4
        assert ours.data(table="Sheet1", select=["NAME"], filter={">AMOUNT": ["0"]}) == [row[:1] for row in own]


@pytest.mark.parametrize("call", ["urlTableDescription", "urlData"])
def test_a_file_of_a_folder_that_cannot_be_read_is_no_answer_and_the_reason_is_kept(tmp_path: Path, call: str) -> None:
    """facts/biconnector 5.2: anything but 200 is a failure; the page of activity tells which row it is."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "good.csv").write_text("a,b\n1,2\n")
    (folder / "bad.csv").write_text("a,b\n1,2\n1\n")
    with hosting(tmp_path) as host:
        connected = host.connect("file", {"path": "folder"})
        assert connected.call("urlCheck").status_code == 200
        assert [row["code"] for row in json.loads(connected.call("urlTableList").data)] == ["bad", "good"]
        assert connected.data(table="good") == [["A", "B"], [1, 2]]
        assert connected.call(call, {"table": "bad"}).status_code == 502
        last = host.calls()[-1]
        assert last.code == "file_structure"
        assert "bad.csv\nrow 3: 1 cells, other rows have 2" in last.reason
