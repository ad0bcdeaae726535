"""The encoding of a PostgreSQL database: which texts it can hold, how its bytes become UTF-8, how case is ignored.

A server converts whole statements and whole rows, and fails where one letter or one byte has no counterpart. Here
values are looked at before they are sent, and bytes of single-byte encodings are decoded on this side.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass

from drivers.rows import valid_utf8
from drivers.sql import LIKE_ESCAPE

#: Of those in which a character may take several bytes, servers know variants of their own: they convert them.
_SINGLE_BYTE = ("LATIN", "WIN", "KOI8", "ISO_8859_")

#: One character of UTF-8 as a regular expression, for a database that knows bytes only.
ONE_IN_BYTES = r"(?:[\x01-\x7f]|[\xc0-\xff][\x80-\xbf]*|[\x80-\xbf])"


@dataclass(frozen=True)
class ServerEncoding:
    """An encoding by the server's name for it, as `getdatabaseencoding()` tells."""

    name: str = "UTF8"

    @property
    def sent(self) -> str:
        """The encoding in which the server shall send texts: its own, or UTF-8 where only the server can convert."""
        return self.name if self.codec or self.name == "SQL_ASCII" else "UTF8"

    @property
    def orders_by_code_points(self) -> bool:
        """Whether bytes compare as code points do, also with those of a text that the database cannot hold."""
        return self.name in ("UTF8", "SQL_ASCII")

    @property
    def codec(self) -> str:
        """Python's name of a single-byte encoding, which maps all bytes as the server does; empty for the others."""
        if not self.name.startswith(_SINGLE_BYTE):
            return ""
        try:
            # LATIN5 is ISO 8859-9 for both.
            return codecs.lookup(self.name.replace("WIN", "cp").replace("KOI8", "koi8_")).name
        except LookupError:
            return ""

    def has(self, text: str) -> bool:
        """Whether the database can hold this text, as far as this is known without asking."""
        if not self.codec or text.isascii():
            return True
        try:
            text.encode(self.codec)
        except UnicodeEncodeError:
            return False
        return True

    def utf8(self, sent: bytes) -> bytes:
        """What the server sent, as UTF-8; U+FFFD for bytes that mean nothing in its encoding."""
        if self.name == "SQL_ASCII":
            return valid_utf8(sent)
        if not self.codec or sent.isascii():
            # The server has checked what it stores in encodings of several bytes, or converted it just now.
            return sent
        return sent.decode(self.codec, "replace").encode()


def regular_expression(pattern: str, one: str) -> str:
    """A pattern of LIKE as a regular expression that is blind to case; `one` matches one character."""
    result, characters = "", iter(pattern)
    for character in characters:
        if character == LIKE_ESCAPE:
            result += _either_case(next(characters, ""))
        elif character == "%":
            result += ".*"
        elif character == "_":
            result += one
        else:
            result += _either_case(character)
    return f"^{result}$"


def _either_case(character: str) -> str:
    cases = sorted({character, character.lower(), character.upper()})
    spelt = ["".join(c if c.isalnum() or not c.isascii() else f"\\{c}" for c in case) for case in cases]
    return spelt[0] if len(spelt) == 1 else f"(?:{'|'.join(spelt)})"
