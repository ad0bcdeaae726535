"""Portals: how they install, launch and remove the app, and the tokens that their users gave us."""
