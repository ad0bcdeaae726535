"""Which requests are our own pages', and which portal addresses may stand in a header (facts/security 1)."""

from __future__ import annotations

import pytest

from config import origin_of
from errors import Forged
from services.portals.languages import portal_language, spoken
from services.portals.origins import checked_endpoint, is_framed, is_own_request, normal_domain

OWN = {"https://bi.example.com"}


@pytest.mark.parametrize(
    ("site", "origin", "own"),
    [
        ("same-origin", None, True),
        ("same-origin", "https://bi.example.com", True),
        ("same-origin", "null", True),  # Referrer-Policy of a foreign frame may blank the origin, not Sec-Fetch-Site
        ("cross-site", "https://bi.example.com", False),
        ("same-site", "https://bi.example.com", False),
        ("none", None, False),
        ("", None, False),
        (None, "https://bi.example.com", True),
        (None, "https://evil.example", False),
        (None, "null", False),
        (None, "https://bi.example.com.evil.example", False),
        (None, None, True),
    ],
)
def test_changes_are_taken_from_our_own_pages_only(site: str | None, origin: str | None, own: bool) -> None:
    assert is_own_request(site, origin, OWN) is own


@pytest.mark.parametrize(("destination", "framed"), [("iframe", True), (None, True), ("document", False), ("", False)])
def test_an_opening_belongs_into_a_frame(destination: str | None, framed: bool) -> None:
    assert is_framed(destination) is framed


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://acme.bitrix24.com/rest/", "https://acme.bitrix24.com/rest/"),
        ("https://ACME.bitrix24.com/rest", "https://acme.bitrix24.com/rest/"),
        ("https://acme.bitrix24.com:443/rest/", "https://acme.bitrix24.com/rest/"),
        ("https://box.example:8443/rest/", "https://box.example:8443/rest/"),
        ("https://box.example/portal/rest/", "https://box.example/portal/rest/"),
        ("https://192.0.2.7/rest/", "https://192.0.2.7/rest/"),
        ("https://[2001:db8::1]:8443/rest/", "https://[2001:db8::1]:8443/rest/"),
        ("https://xn--bcher-kva.example/rest/", "https://xn--bcher-kva.example/rest/"),
        ("http://localhost:8001/rest/", "http://localhost:8001/rest/"),
    ],
)
def test_a_portal_address_has_one_spelling(given: str, kept: str) -> None:
    assert checked_endpoint(given, ("localhost:8001",)) == kept


@pytest.mark.parametrize(
    "given",
    [
        "",
        "acme.bitrix24.com/rest/",
        "http://acme.bitrix24.com/rest/",
        "http://localhost:8002/rest/",
        "ftp://acme.bitrix24.com/rest/",
        "https://user@acme.bitrix24.com/rest/",
        "https://acme.bitrix24.com@evil.example/rest/",
        "https://acme.bitrix24.com\\@evil.example/rest/",
        "https://acme.bitrix24.com:99999/rest/",
        "https://acme.bitrix24.com:x/rest/",
        "https://acme.bitrix24.com/rest/?a=b",
        "https://acme.bitrix24.com/rest/#a",
        "https://acme.bitrix24.com/",
        "https://acme.bitrix24.com/rest/; script-src */rest/",
        "https://acme.bitrix24.com; script-src */rest/",
        "https://acme.bitrix24.com\r\nSet-Cookie: a=b/rest/",
        "https://*/rest/",
        "https://*.bitrix24.com/rest/",
        "https://a b.example/rest/",
        "https://bücher.example/rest/",
        "https://аcme.bitrix24.com/rest/",
        "https://-acme.bitrix24.com/rest/",
        "https://acme..bitrix24.com/rest/",
        "https://[::1/rest/",
        "javascript:alert(1)//rest/",
    ],
)
def test_an_address_that_could_mean_something_else_is_refused(given: str) -> None:
    with pytest.raises(Forged):
        checked_endpoint(given, ("localhost:8001",))


def test_addresses_of_ours_become_origins() -> None:
    assert origin_of("https://api.bitrix24.com/api/v1/") == "https://api.bitrix24.com"
    assert origin_of("http://localhost:8001/api/v1/") == "http://localhost:8001"
    assert origin_of("//api.bitrix24.com/") == origin_of("") == origin_of("javascript:x") == ""


def test_a_posted_domain_may_carry_a_default_port() -> None:
    """facts/platform 2."""
    assert {
        normal_domain(given) for given in ("ACME.bitrix24.com:443", "acme.bitrix24.com:80", " acme.bitrix24.com")
    } == {"acme.bitrix24.com"}
    assert normal_domain("box.example:8443") == "box.example:8443"


@pytest.mark.parametrize(
    ("posted", "portal", "page"),
    [
        ("ru", "ru", "ru"),
        ("de", "de", "en"),
        ("BR", "br", "en"),
        ("xx", "en", "en"),
        ("", "en", "en"),
        ("../ru", "en", "en"),
    ],
)
def test_languages_are_the_portals_own_codes_and_ours_are_two(posted: str, portal: str, page: str) -> None:
    """facts/platform 7."""
    assert portal_language(posted) == portal
    assert spoken(portal_language(posted)) == page
