"""What it takes to work with BI data (facts/biconnector 1.8): a title and what helps, for each thing."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

_HINT = _l("An administrator gives it to you in BI Builder, under Access permissions.")

SENTENCES: Mapping[str, tuple[LazyString, LazyString]] = {
    "plan": (
        _l("The portal's plan lacks applications"),
        _l("REST is switched off. Ask an administrator about the plan or the Market subscription."),
    ),
    "scope": (
        _l("The application lacks its access to BI Builder"),
        _l("Ask an administrator to install the application again and to allow the access it asks for."),
    ),
    "installed": (_l("The application is installed and has its access"), _l("Nothing needs to be done here.")),
    "bi_builder": (_l("Your permission “Access to BI Builder”"), _HINT),
    "analytics_hub": (_l("Your permission “Access to Analytics Hub”"), _HINT),
}
OTHER = _l("The portal refuses")
"""The title of a refusal whose code names its own cause."""
