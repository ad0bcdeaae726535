"""The proxy's sample configuration agrees with the limits of the application (facts/security 1 row 16, 6)."""

from __future__ import annotations

from config import Settings
from drivers.base import Limits
from gateway.spool import MOST_BYTES
from tests.gateway.proxy import value_of


def number_of(directive: str) -> int:
    """A number with its unit as the number alone: seconds, or megabytes."""
    return int(value_of(directive).rstrip("smM"))


def test_a_query_has_its_time_and_a_portal_the_rest() -> None:
    # A portal gives 60 s to take the answer.
    assert number_of("send_timeout") == 55
    # A portal waits for 250 s; a query and its connecting take no longer than that.
    assert Limits().seconds + Limits().connect_seconds + 20 <= 250 < number_of("proxy_read_timeout")


def test_the_largest_answer_and_the_largest_upload_fit() -> None:
    assert number_of("proxy_max_temp_file_size") * 1024 * 1024 > MOST_BYTES
    assert number_of("client_max_body_size") > Settings.model_fields["upload_megabytes"].default
