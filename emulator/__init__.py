"""A Bitrix24 portal and its authorization server in one process, for development, demonstrations and tests.

A program of its own: it shares no code with the application and is reached over HTTP only. Start it with
`python -m emulator`; its controls are described in `emulator/README.md`.
"""
