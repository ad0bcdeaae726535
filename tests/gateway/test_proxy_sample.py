"""The proxy's sample configuration agrees with the limits of the application (facts/security 1 row 16, 6)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from config import Settings
from drivers.base import Limits
from gateway.spool import MOST_BYTES
from gateway.wire import RECEIVE_SECONDS, SEND_SECONDS

SAMPLE = (Path(__file__).parents[2] / "docs/operate/nginx.conf").read_text()


def value_of(directive: str) -> str:
    """What the sample sets, once."""
    (value,) = re.findall(rf"^\s*{directive} (.+);$", SAMPLE, re.MULTILINE)
    return str(value)


def number_of(directive: str) -> int:
    """A number with its unit as the number alone: seconds, or megabytes."""
    return int(value_of(directive).rstrip("smM"))


@pytest.mark.parametrize(
    ("directive", "value"),
    [("proxy_http_version", "1.1"), ("proxy_request_buffering", "on"), ("proxy_buffering", "on")],
)
def test_requests_and_answers_are_whole_before_they_are_passed_on(directive: str, value: str) -> None:
    assert value_of(directive) == value


def test_the_times_are_those_of_the_application() -> None:
    assert number_of("client_header_timeout") == number_of("client_body_timeout") == RECEIVE_SECONDS
    assert number_of("send_timeout") == SEND_SECONDS
    # A portal waits for 250 s; a query and its connecting take no longer than that.
    assert Limits().seconds + Limits().connect_seconds + 20 <= 250 < number_of("proxy_read_timeout")


def test_the_largest_answer_and_the_largest_upload_fit() -> None:
    assert number_of("proxy_max_temp_file_size") * 1024 * 1024 > MOST_BYTES
    assert number_of("client_max_body_size") > Settings.model_fields["upload_megabytes"].default


def test_keys_and_queries_stay_out_of_the_log() -> None:
    (masked,) = re.findall(r"~\^(\S+) \$bi_before\[hidden\]\$bi_after;", SAMPLE)
    path = re.sub(r"\(\?<(\w+)>", r"(?P<\1>", masked)
    assert (
        re.sub(f"^{path}", r"\g<bi_before>[hidden]\g<bi_after>", "/gateway/u/bxk1_k/data") == "/gateway/u/[hidden]/data"
    )
    (logged,) = re.findall(r"log_format bi_connectors '(.*)';", SAMPLE)
    assert not {"$request", "$request_uri", "$uri", "$args", "$http_referer"} & set(logged.split())
