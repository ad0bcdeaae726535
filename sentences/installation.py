"""Why an installation does not go on: the pages of the installer."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

SENTENCES: Mapping[str, LazyString] = {
    "INSTALLER_FORGED": _l("Bitrix24 does not confirm who opened this page. Open the installation in Bitrix24 again."),
    "ADMINISTRATOR_NEEDED": _l(
        "Only an administrator of this Bitrix24 can install the application. Ask one of them to open it."
    ),
    "METHOD_MISSING": _l("This Bitrix24 has no BI connectors yet. Update it, then open the installation again."),
    "INSTALLATION_REFUSED": _l(
        "Bitrix24 refused to set up the application. Check that the subscription allows it, then try again."
    ),
    "INSTALLER_TOO_OLD": _l("This page was open for too long. Open the installation in Bitrix24 again."),
    "INSTALLATION_NOT_PAID": _l(
        "The application's trial or subscription in Bitrix24 is over. Renew it, then open the installation again."
    ),
    "INSTALLATION_REMOVED": _l("Bitrix24 says that the application was removed. Install it again from the market."),
    "INSTALLATION_UNANSWERED": _l(
        "Bitrix24 does not answer at the moment, so nothing was finished. Try again in a minute."
    ),
}
