"""Foreign endpoints that are asked for their tables and columns (`services.bi.discovery`)."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

SENTENCES: Mapping[str, LazyString] = {
    "no_source": _l("Choose the source first, then ask it."),
    "foreign_connector": _l("The application did not make the connector of this source, so it cannot ask it."),
    "endpoint_refused": _l("The application may not call the address that the connector names."),
    "endpoint_unreachable": _l("The connector's address does not answer."),
    "endpoint_tls": _l("The certificate of the connector's address is not valid."),
    "endpoint_timeout": _l("The connector's address does not answer in time."),
    "endpoint_status": _l("The connector's address refuses, or answers with nothing."),
    "endpoint_too_big": _l("The answer of the connector's address is larger than 2 MB. Search for a part of the name."),
    "endpoint_bad_answer": _l("The connector's address answers with something that is no list of tables or columns."),
    "table_gone": _l("The source does not offer this table any more. Ask it again."),
    "too_many_columns": _l("The table has more columns than this form can hold."),
}
