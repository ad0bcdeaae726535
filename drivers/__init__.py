"""Customer databases and files: how each kind is described, reached, searched and read.

`base.py` is the manual. Nothing here knows Flask, models, services or the portal.
"""
