"""Looks at files: a newer one of the same owner ends the former."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from drivers.base import Guards
from drivers.files.driver import File
from drivers.previews import Preview, PreviewRequest
from tests.services.hosted import hosted_stage


@pytest.mark.parametrize(("owner", "is_wanted"), [("the same", False), ("another", True)])
def test_a_look_is_carried_on_until_its_owner_looks_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: str, is_wanted: bool
) -> None:
    (tmp_path / "t.csv").write_text("a;b\n1;2\n")
    wanted: list[bool] = []
    preview = File.preview
    with hosted_stage(tmp_path) as hosted:

        def interrupted(self: File, values: Mapping[str, str], guards: Guards, asked: PreviewRequest) -> Preview:
            monkeypatch.setattr(File, "preview", preview)
            hosted.house.previews.look(hosted.portal_id, "file", {"path": "t.csv"}, asked, owner=owner)
            wanted.append(guards.limits.is_wanted())
            return preview(self, values, guards, asked)

        monkeypatch.setattr(File, "preview", interrupted)
        try:
            hosted.house.previews.look(
                hosted.portal_id, "file", {"path": "t.csv"}, PreviewRequest(whole=True), owner="the same"
            )
        finally:
            assert wanted == [is_wanted]
