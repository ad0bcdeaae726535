"""What only the command line can meet: it names things that pages offer in lists."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

SENTENCES: Mapping[str, LazyString] = {
    "UNKNOWN_DRIVER": _l("There is no such driver. Known are %(known)s."),
    "UNKNOWN_CONNECTION": _l("There is no such connection. `flask connections list` shows those that there are."),
    "KEY_IN_PORTAL": _l("Its source in the portal holds the key. Change it on the page of the connection."),
}
