"""Answers are whole before their first byte leaves, or are none (facts/security 6)."""

from __future__ import annotations

import json
import os
import resource
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.base import Chunk
from drivers.errors import Broken
from gateway.rows import write_rows
from gateway.spool import Room, Spool, SpoolFull
from services.limits.shared_memory import SharedMemory


def body_of(header: list[str], chunks: list[Chunk]) -> bytes:
    with Spool() as spool:
        write_rows(header, chunks, spool)
        spool.finish()
    return b"".join(spool.blocks())


def test_the_header_comes_also_without_rows() -> None:
    # facts/biconnector 5.7; facts/field 1: the peers answer [] and the portal fails
    assert json.loads(body_of(["ID", "ИМЯ"], [])) == [["ID", "ИМЯ"]]
    assert json.loads(body_of(["ID"], [Chunk(b"", 0)])) == [["ID"]]


def test_chunks_become_one_array() -> None:
    body = body_of(["ID", 'N"'], [Chunk(b'[1,"a"],\n[2,null]', 2), Chunk(b"", 0), Chunk(b'[3,"c"]', 1)])
    assert json.loads(body) == [["ID", 'N"'], [1, "a"], [2, None], [3, "c"]]


def test_rows_are_counted() -> None:
    with Spool() as spool:
        assert write_rows(["ID"], [Chunk(b"[1],\n[2]", 2), Chunk(b"[3]", 1)], spool) == 3
    spool.close()


def test_a_failing_driver_leaves_no_closing_bracket() -> None:
    def failing() -> Iterator[Chunk]:
        yield Chunk(b"[1]", 1)
        raise Broken("connection_lost")

    spool = Spool()
    with pytest.raises(Broken):
        write_rows(["ID"], failing(), spool)
    spool.finish()
    assert b"".join(spool.blocks()) == b'[["ID"],\n[1]'


def test_more_than_the_cap_is_refused_and_nothing_cut() -> None:
    spool = Spool(most_bytes=10)
    spool.write(b"0123456789")
    with pytest.raises(SpoolFull) as full:
        spool.write(b"x")
    assert (full.value.code, full.value.limit) == ("bytes", 10)
    spool.close()


def test_a_portal_has_so_much_room_in_all_processes_and_others_have_theirs() -> None:
    # facts/security 4 layer 4: spool bytes per tenant
    board, block = SharedMemory(), bytes(1000)

    def spool(tenant: str) -> Spool:
        return Spool(Room(board, tenant, most_bytes=10_000, piece=1000), memory_bytes=100)

    one, two = spool("a"), spool("a")
    for _ in range(5):
        one.write(block)
        two.write(block)
    with pytest.raises(SpoolFull) as full:
        two.write(block)
    assert full.value.code == "portal_room"
    with spool("b") as other, spool("a") as small:
        other.write(block)
        small.write(bytes(100))
    two.close()
    for _ in range(5):
        one.write(block)
    for each in (one, other, small):
        each.close()


def test_all_answers_together_leave_room_on_the_volume() -> None:
    # facts/security 4 layer 4: spool bytes in total
    volume = os.statvfs(tempfile.gettempdir())
    share = 5_500 / (volume.f_blocks * volume.f_frsize)
    board = SharedMemory()
    spools = [Spool(Room(board, str(number), share=share, piece=1000), memory_bytes=100) for number in range(6)]
    for spool in spools[:5]:
        spool.write(bytes(1000))
    with pytest.raises(SpoolFull) as full:
        spools[5].write(bytes(1000))
    assert full.value.code == "disk"
    spools[0].close()
    spools[5].close()
    with Spool(Room(board, "x", share=share, piece=1000), memory_bytes=100) as last:
        last.write(bytes(1000))
    for spool in [*spools, last]:
        spool.close()


def test_large_answers_leave_memory_for_a_file_without_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    block = os.urandom(1024 * 1024)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with Spool() as spool:
        for _ in range(64):
            spool.write(block)
        spool.finish()
    assert list(tmp_path.iterdir()) == []
    sent = 0
    for part in spool.blocks():
        assert part == block[sent % len(block) : sent % len(block) + len(part)]
        sent += len(part)
    assert sent == spool.size == 64 * len(block)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 * 1024  # kB


def test_a_full_disk_is_a_failure_before_anything_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, hard))
    spool = Spool(memory_bytes=1024)

    def fill() -> None:
        for _ in range(100):
            spool.write(b"x" * 4096)
        spool.finish()

    try:
        with pytest.raises(SpoolFull) as full:
            fill()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert full.value.limit == 0
    spool.close()


def test_a_small_rest_that_does_not_fit_the_disk_is_noticed_before_sending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The last bytes wait in a buffer: only `finish` finds out that they have no room.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    spool = Spool(memory_bytes=1024)
    spool.write(b"x" * 4096)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        spool.write(b"]")
        with pytest.raises(SpoolFull):
            spool.finish()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    spool.close()


def test_giving_up_halfway_closes_the_spool() -> None:
    with Spool() as spool:
        spool.write(b"x" * 1_000_000)
        spool.finish()
    blocks = spool.blocks()
    next(blocks)
    blocks.close()  # type: ignore[attr-defined]  # a generator, as WSGI servers see it
    with pytest.raises(ValueError, match="closed"):
        spool.write(b"")
