"""One page of a list: what is asked for, what comes back, and the lenient reading of the portal's values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from errors import PortalUnreachable
from services.portal_api.client import PAGE_SIZE, PortalClient, as_page, value_of
from services.portal_api.replies import writable

T = TypeVar("T")
Direction = Literal["ASC", "DESC"]


@dataclass(frozen=True)
class Listing:
    """Which part of a list is wanted.

    `search` is a part of the object's name; `filters` holds the portal's own keys with their prefixes, for example
    `{"=sourceId": 3, "@id": [1, 2]}`; `page` counts from 1 and holds at most 50 objects. `created_since` is a day in
    ISO, by which no portal is asked to filter: it would read it in a format that it does not tell (facts/biconnector
    1.5b).
    """

    search: str = ""
    filters: Mapping[str, Any] = field(default_factory=dict)
    order: str = "id"
    direction: Direction = "DESC"
    page: int = 1
    created_since: str = ""


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page: its objects, its number, and whether another one follows."""

    items: tuple[T, ...]
    number: int
    has_next: bool


def read_page(
    client: PortalClient, method: str, listing: Listing, searched: str, parse: Callable[[Mapping[str, Any]], T]
) -> Page[T]:
    """One page of `method`, whose objects are searched by the field `searched`.

    Whether a page follows a full one is asked in the same round trip, since the portal gives no total
    (facts/biconnector 1.5). Raises the portal's errors.
    """
    filters = {**listing.filters, **({f"%{searched}": listing.search} if listing.search else {})}
    order = {listing.order: listing.direction}
    if listing.order != "id":
        # Equal values would otherwise change places between two pages.
        order["id"] = listing.direction
    wanted = {"filter": filters, "order": order}
    if listing.created_since:
        return _page_since(client.everything(method, **wanted), listing, parse)
    answers = client.batch(
        {
            "page": (method, {**wanted, "page": listing.page}),
            "next": (method, {**wanted, "select": ["id"], "page": listing.page + 1}),
        }
    )
    items = as_page(value_of(answers["page"]))
    has_next = len(items) >= PAGE_SIZE and bool(as_page(value_of(answers["next"])))
    return Page(tuple(parse(item) for item in items), listing.page, has_next)


def _page_since(
    items: Iterable[Mapping[str, Any]], listing: Listing, parse: Callable[[Mapping[str, Any]], T]
) -> Page[T]:
    """A page of those objects of a whole list that are young enough; one without a readable day counts as such."""
    young = [item for item in items if not _is_older(item.get("dateCreate"), listing.created_since)]
    start = (listing.page - 1) * PAGE_SIZE
    shown = young[start : start + PAGE_SIZE]
    return Page(tuple(parse(item) for item in shown), listing.page, len(young) > start + PAGE_SIZE)


def _is_older(moment: Any, day: str) -> bool:
    created = moment[: len(day)] if isinstance(moment, str) else ""
    return bool(re.fullmatch(r"\d{4}-\d{2}-\d{2}", created)) and created < day


def item_of(result: Any) -> Mapping[str, Any]:
    """The object of a `get` answer; raises `PortalUnreachable` if there is none."""
    item = result.get("item") if isinstance(result, Mapping) else None
    if isinstance(item, Mapping):
        return item
    raise PortalUnreachable("not-json")


def id_of(result: Any) -> int:
    """The id in an `add` answer; raises `PortalUnreachable` if there is none."""
    found = integer(result.get("id") if isinstance(result, Mapping) else result)
    if found:
        return found
    raise PortalUnreachable("not-json")


def text(value: Any) -> str:
    """A value as text that can stand in a page; null is empty (facts/biconnector 1.6)."""
    return "" if value is None else writable(str(value))


def integer(value: Any) -> int:
    """A whole number, which may come as a string; anything else is 0 (facts/biconnector 1.6)."""
    if isinstance(value, str) and len(value) <= 20:
        digits = value.removeprefix("-")
        return int(value) if digits.isascii() and digits.isdigit() else 0
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def boolean(value: Any) -> bool:
    """A flag, which may come as `Y`, `1` or `"true"`."""
    return value in (True, 1, "1", "Y", "y", "true")
