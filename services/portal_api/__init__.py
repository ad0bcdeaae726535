"""Client of a portal's REST API in three rings.

`_transport` sends, `_authorized` adds the token of a user, `client` names the methods.

`replies` judges every answer in one function; `oauth` speaks to authorization servers.
"""
