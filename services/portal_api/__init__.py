"""Client of a portal's REST API in three rings.

`_transport` sends, `_authorized` adds the token of a user, `client` names the methods.

`replies` judges every answer in one function; `oauth` speaks to authorization servers.

The rings are each other's business; what the rest of the house needs of the first two is named here.
"""

from services.portal_api._authorized import Patience
from services.portal_api._transport import USER_AGENT, Reply, Transport

__all__ = ["USER_AGENT", "Patience", "Reply", "Transport"]
