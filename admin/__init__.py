"""Door 2: the pages of analysts in the portal's frame.

Every route of `blueprint` needs a session (`web.session`); `POST /`, which makes one, is in `admin.entry`. Modules
with views import `blueprint` from here; `app.py` names them.
"""

from flask import Blueprint

from web.session import session_required

blueprint = Blueprint("admin", __name__)
blueprint.before_request(session_required)

__all__ = ["blueprint"]
