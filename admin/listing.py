"""Which part of a list a page shows, read from its address or form, and the addresses of its neighbours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from flask import request, url_for

from services.bi.listing import Listing
from web.forms import number_in
from web.session import has_acted
from web.template_filters import DAY

LAST_PAGE = 100_000


@dataclass(frozen=True)
class ListState:
    """What the list's controls are set to. `filters` holds the chosen values by the portal's field names."""

    endpoint: str
    sort: str
    descending: bool
    usual: tuple[str, bool]
    """Order and direction in which the list opens; addresses leave them out."""
    search: str = ""
    page: int = 1
    filters: Mapping[str, str] = field(default_factory=dict)
    path: Mapping[str, int] = field(default_factory=dict)
    """Numbers in the list's own address."""

    @property
    def narrowed(self) -> bool:
        """Whether search or filters may hide objects."""
        return bool(self.search or any(self.filters.values()))

    @property
    def direction(self) -> str:
        """`asc` or `desc`."""
        return "desc" if self.descending else "asc"

    @property
    def url(self) -> str:
        """The address of exactly this part of the list."""
        values: dict[str, Any] = {
            **self.path,
            **{name: value or None for name, value in self.filters.items()},
            "search": self.search or None,
            **({"sort": self.sort, "order": self.direction} if (self.sort, self.descending) != self.usual else {}),
            "page": self.page if self.page > 1 else None,
        }
        return url_for(self.endpoint, **values)

    def sorted_url(self, name: str) -> str:
        """The address of the list sorted by `name`; by the same field again, the other way round."""
        return replace(self, sort=name, descending=name == self.sort and not self.descending, page=1).url

    def page_url(self, number: int) -> str:
        """The address of another page."""
        return replace(self, page=number).url

    def for_portal(self, filters: Mapping[str, object]) -> Listing:
        """The same for the portal; `filters` are the chosen ones in the portal's own terms."""
        direction = "DESC" if self.descending else "ASC"
        since = _day(self.filters.get("dateCreate", ""))
        return Listing(self.search, filters, self.sort, direction, self.page, since)  # type: ignore[arg-type]  # one of two words


def list_state(
    endpoint: str,
    sorts: Sequence[str],
    filters: Sequence[str] = (),
    *,
    descending: bool = False,
    path: Mapping[str, int] | None = None,
) -> ListState:
    """What this request asks of the list; what cannot be understood falls back to the list as it opens.

    The first of `sorts` is the order in which the list opens.
    """
    opens = (sorts[0], descending)
    usual = ListState(endpoint, *opens, opens, filters=dict.fromkeys(filters, ""), path=path or {})
    if has_acted():
        return usual
    sent = request.values
    sort = sent.get("sort", "")
    page = number_in(sent.get("page", ""))
    return replace(
        usual,
        sort=sort if sort in sorts else usual.sort,
        descending=sent["order"] == "desc" if sent.get("order") in ("asc", "desc") else descending,
        search=sent.get("search", "").strip(),
        page=page if page is not None and page <= LAST_PAGE else 1,
        filters={name: sent.get(name, "").strip() for name in filters},
    )


def _day(text: str) -> str:
    """A day in ISO; empty if that is none."""
    try:
        return date.fromisoformat(text).isoformat() if DAY.fullmatch(text) else ""
    except ValueError:
        return ""


def list_answer(page: str, state: ListState) -> tuple[str, int, dict[str, str]]:
    """A list's page; after a form, htmx learns the address that shows the same part again."""
    return page, 200, {"HX-Push-Url": state.url} if request.method == "POST" and not has_acted() else {}
