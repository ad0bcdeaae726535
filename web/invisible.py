"""Characters that nobody sees are taken out of what pages are sent, before anything reads it.

They come along when something is pasted. U+0000 fits into no database, and a title or a search that differs by one of
the others from what is meant is not found by looking at it. Joiners stay: words of several scripts need them.
"""

from __future__ import annotations

from typing import IO

from flask import Request
from werkzeug.datastructures import ImmutableMultiDict, MultiDict
from werkzeug.utils import cached_property

from web.received_files import ReceivedFile

INVISIBLE = dict.fromkeys((0x0000, 0x200B, 0x2060, 0xFEFF))
"""U+0000, zero width space, word joiner and byte order mark."""


class VisibleRequest(Request):
    """A request whose form and query hold visible texts, where it is one of the analysts' pages.

    Launches, events and calls of the endpoints are told apart from forgeries by what they are, so they stay as sent.
    """

    @cached_property
    def args(self) -> MultiDict[str, str]:
        """The query."""
        return self._visible(super().args)

    def _get_file_stream(self, *_: object, **__: object) -> IO[bytes]:
        return ReceivedFile()

    def _load_form_data(self) -> None:
        super()._load_form_data()
        self.__dict__["form"] = self._visible(self.form)

    def _visible(self, sent: MultiDict[str, str]) -> MultiDict[str, str]:
        if self.blueprint != "admin" or not any(value.isascii() is False or "\0" in value for value in _texts(sent)):
            return sent
        pairs = sent.items(multi=True)
        return ImmutableMultiDict((name.translate(INVISIBLE), value.translate(INVISIBLE)) for name, value in pairs)


def _texts(sent: MultiDict[str, str]) -> list[str]:
    return [text for pair in sent.items(multi=True) for text in pair]
