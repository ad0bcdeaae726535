"""What people read: every sentence that stands for a code, each code once, in the language of whoever reads it.

    lookup        the way in: a sentence for a problem of a form, a diagnosis for a code of a connection
    objects       codes of portals, and our own about connectors, sources, datasets and sessions
    targets       codes of drivers, files, connection tests and the endpoints that portals call
    discovery     codes of foreign endpoints that are asked for their tables
    commands      codes that only the command line can meet
    installation  why an installation does not go on
    permissions   what it takes to work with BI data
    questions     what is asked before an action that is hard to undo
    choices       what can be chosen in forms, in words

Codes are compared without case. A test collects the codes that can be raised and compares them with these tables.
"""
