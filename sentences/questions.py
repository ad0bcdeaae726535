"""What is asked before an action that is hard to undo."""

from __future__ import annotations

from dataclasses import dataclass

from flask_babel import gettext as _


@dataclass(frozen=True)
class Question:
    """A question with the words of the button that says yes; `removes` makes that button a warning."""

    heading: str
    text: str
    button: str
    removes: bool = False


def of_connection(action: str) -> Question | None:
    """What to ask before an action on a connection's page, or None for one that is done at once."""
    return {
        "rotate": Question(
            _("Change the key?"),
            _(
                "Bitrix24 gets another key for the source of this connection. Charts go on working; the present key "
                "opens for another day. Do this when somebody may have seen the key."
            ),
            _("Change the key"),
        ),
        "addresses": Question(
            _("Change the addresses?"),
            _(
                "The connector that all connections of this portal share gets other addresses. Charts of every "
                "connection go on working; the present addresses open for another day."
            ),
            _("Change the addresses"),
        ),
    }.get(action)


def of_contract(table: str, changes: str) -> Question:
    """What to ask before today's columns of a table become its contract; `changes` are columns of another type."""
    seen = _(
        "Charts of datasets made before get these columns in another type, which may break them: %(changes)s.",
        changes=changes,
    )
    kept = _(
        "New columns get names, and columns that are gone stay refused without a warning. No name comes to mean "
        "another column."
    )
    return Question(
        _("Accept today's columns of %(table)s?", table=table),
        f"{seen} {kept}" if changes else str(kept),
        _("Accept today's columns"),
    )


def of_wizard(action: str, driver: str, most: int) -> Question | None:
    """What to ask before an action on a connector whose credentials are typed in the portal."""
    return {
        "addresses": Question(
            _("Change the addresses of %(title)s?", title=driver),
            _("The connector gets other addresses. Its charts go on working; the present ones open for another day."),
            _("Change the addresses"),
        ),
        "more": Question(
            _("Let new servers in for %(title)s?", title=driver),
            _(
                "So that nobody searches a network through Bitrix24, the connector asks at most %(most)s different "
                "servers. The count starts anew, also for those that are known.",
                most=most,
            ),
            _("Let new servers in"),
        ),
        "remove": Question(
            _("Remove %(title)s from the portal?", title=driver),
            _("Analysts will no longer find the connector. Sources that use it have to be deleted first."),
            _("Remove"),
            removes=True,
        ),
    }.get(action)
