"""In which encoding a text is written, and what its bytes say about its lines.

A byte order mark says it; bytes that are UTF-8 throughout can hardly be anything else. All others are judged by the
lines that hold bytes beyond ASCII, wherever they stand in the file: each encoding makes other letters of them, and the
one is meant whose letters are common in a language, in the order of capitals and small letters that words have.
"""

# ruff: noqa: RUF001 - these letters are meant

from __future__ import annotations

import codecs
import contextlib
import itertools
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import charset_normalizer

from drivers.errors import SettingsWrong

_BLOCK = 1024 * 1024
#: Bytes of lines that decide the encoding: all together, and of one block at most.
_DECIDING_BYTES, _DECIDING_BYTES_OF_BLOCK = 64 * 1024, 8 * 1024

_MARKS: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LINE_WITH_LETTERS = re.compile(rb"[^\r\n]*[\x80-\xff][^\r\n]*")
_SEQUENCE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_WORD_OF_BYTES = re.compile(rb"[A-Za-z]*[\x80-\xff][A-Za-z\x80-\xff]*")
#: So often a word is looked at.
_OFTEN = 2
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")
_NO_TEXT = re.compile(rb"[\x01-\x08\x0e-\x19\x1c\x1d\x7f]")


@dataclass(frozen=True)
class Text:
    """How the bytes of a text are to be read.

    `errors` is `replace` where few bytes are damaged in a text that is UTF-8. `line_end` is the one that occurs, empty
    where several do; `has_nul` whether a NUL stands in it.
    """

    encoding: str
    errors: str
    line_end: str
    has_nul: bool


def text_of(path: Path, asked: str, check: Callable[[], None]) -> Text:
    """How a text is to be read; `check` is called again and again and may raise.

    Raises `SettingsWrong`: `empty_file`, `other_kind` for what is no text, `no_such_encoding`, and `does_not_fit` with
    the first line where no encoding fits.
    """
    given = _known(asked.strip()) if asked.strip() else ""
    found = _Bytes(path, check)
    if found.is_blank:
        raise SettingsWrong("path", "empty_file")
    encoding, errors = given or found.mark or "", "strict"
    if not encoding and found.nuls and (wide := _utf16(path)):
        encoding = wide
    if not encoding:
        if found.nuls and (not found.is_utf8 or 2 * found.nuls > found.size or _NO_TEXT.search(found.start)):
            raise SettingsWrong("path", "other_kind", "no text")
        encoding, errors = ("utf-8", "strict") if found.is_utf8 else _judged(path, found)
    elif encoding.startswith("utf-8") and not found.is_utf8 and not given:
        errors = "replace" if found.is_damaged_utf8 else "strict"
    return Text(encoding, errors, found.line_end if encoding.startswith("utf-8") else "", bool(found.nuls))


def _known(name: str) -> str:
    try:
        # Some codecs turn bytes into bytes: Python knows them under the same roof.
        "".encode(name)
        return codecs.lookup(name).name
    except (LookupError, UnicodeError):
        raise SettingsWrong("encoding", "no_such_encoding") from None


class _Bytes:
    """What is counted while all bytes of a file pass by once."""

    def __init__(self, path: Path, check: Callable[[], None]) -> None:
        self.size = self.nuls = 0
        self.is_utf8, self.is_blank = True, True
        self.lines: list[bytes] = []
        pairs = feeds = returns = 0
        decoder = codecs.getincrementaldecoder("utf-8")()
        with path.open("rb") as file:
            self.start = block = file.read(_BLOCK)
            self.mark = next((encoding for mark, encoding in _MARKS if block.startswith(mark)), None)
            kept, last = 0, b""
            while block:
                check()
                self.size += len(block)
                self.is_blank = self.is_blank and not block.strip(b" \t\r\n\0\xef\xbb\xbf\xff\xfe")
                self.nuls += block.count(b"\0")
                pairs += block.count(b"\r\n") + (last == b"\r" and block[:1] == b"\n")
                feeds += block.count(b"\n")
                returns += block.count(b"\r")
                last = block[-1:]
                if self.is_utf8:
                    try:
                        decoder.decode(block)
                    except UnicodeDecodeError:
                        self.is_utf8 = False
                if kept < _DECIDING_BYTES and not block.isascii():
                    kept += self._keep(block)
                block = file.read(_BLOCK)
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            self.is_utf8 = False
        if not returns:
            self.line_end = "\n"
        elif not feeds:
            self.line_end = "\r"
        else:
            self.line_end = "\r\n" if pairs == feeds == returns else ""

    def _keep(self, block: bytes) -> int:
        kept = 0
        for found in _LINE_WITH_LETTERS.finditer(block):
            line = found[0][:_DECIDING_BYTES_OF_BLOCK]
            self.lines.append(line)
            kept += len(line)
            if kept >= _DECIDING_BYTES_OF_BLOCK:
                break
        return kept

    @property
    def is_damaged_utf8(self) -> bool:
        """Whether nearly all bytes beyond ASCII are UTF-8."""
        text = b"\n".join(self.lines)
        sequences = len(_SEQUENCE.findall(text))
        return sequences >= 10 * len(_BEYOND_ASCII.findall(_SEQUENCE.sub(b"", text)))

    @property
    def is_mixed(self) -> bool:
        """Whether many lines are UTF-8 and many are not."""
        good = sum(_is_utf8(line) and len(_SEQUENCE.findall(line)) > 1 for line in self.lines)
        return 5 * good >= len(self.lines) > good > 0


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _utf16(path: Path) -> str:
    """The order of bytes of UTF-16 without a mark, empty where it is none."""
    with path.open("rb") as file:
        start = file.read(_BLOCK)
    start = start[: len(start) // 2 * 2]
    for encoding in ("utf-16-le", "utf-16-be"):
        try:
            text = start.decode(encoding, "strict" if len(start) < _BLOCK else "ignore")
        except UnicodeDecodeError:
            continue
        usual = sum(character in "\r\n\t" or " " <= character < "\u0530" for character in text)
        if usual > 0.9 * len(text) and re.search(r"[\r\n,;\t]", text):
            return encoding
    return ""


def _judged(path: Path, found: _Bytes) -> tuple[str, str]:
    """The encoding and what becomes of bytes that do not fit, for a text that is no UTF-8."""
    if found.is_damaged_utf8:
        return "utf-8", "replace"
    if not found.is_mixed:
        text = b"\n".join(_telling(found.lines))
        encoding = _by_letters(text)
        if encoding is None:
            guess = charset_normalizer.from_bytes(text, cp_isolation=_OTHERS).best()
            encoding = guess.encoding if guess else ""
        if encoding:
            return encoding, "strict"
    raise SettingsWrong("encoding", "does_not_fit", f"line {_first_line(path)}: no encoding fits")


def _telling(lines: Sequence[bytes]) -> Iterator[bytes]:
    """The lines with a word that is new or the second of its kind: a currency in all rows proves nothing again."""
    seen: Counter[bytes] = Counter()
    for line in lines:
        words = set(_WORD_OF_BYTES.findall(line))
        if any(seen[word] < _OFTEN for word in words):
            yield line
        seen.update(words)


def _first_line(path: Path) -> int:
    """The number of the first line that is no UTF-8."""
    with path.open("rb") as file:
        return next((number for number, line in enumerate(file, 1) if not _is_utf8(line)), 1)


# Letters: how many of 10,000 they are in the texts of a language; of Latin ones only those beyond ASCII.
_RUSSIAN = (
    "о1097е845а801и735н670т626с547р473в454л440к349м321д298п281у262я201ы190ь174г170з165б159ч144й121х97ж94ш73ю64ц48щ36э32"
    "ф26ъ4ё4"
)
_UKRAINIAN = (
    "о942а720н650и610і550в550р520т500е500л390с410к380д340у330м290п290я230з230ь160б160г150ч120й100х90ж70ш70ц60ї60ю60є40ф30"
    "щ40ґ1"
)
_BELARUSIAN = (
    "а1430н650і580е470о350р490л430т430с460к380д360у350м280п270я380в300ы400ь200з270б180г170ц300х90й120ж80ш70ю60ў120ч120"
    "э110ф20ё50"
)
_SERBIAN = (
    "а1150и980о940е890н560т460р500с470д350в350к350у420ј500л340м310п280г180з160б150ч100ш90ж60ц70х50њ60љ50ћ70ђ20ф20џ5"
)
_GREEK = (
    "α1150ο980ι920ε840τ800σ490ν680η570υ430ς400ρ420π400κ400μ350λ270ω190θ130γ170δ170χ110φ80β70ξ50ζ40ψ20ά200έ200ή150ί350ό300ύ150"
    "ώ150"
)
_HEBREW = "י1100ו1030ה1070ל740א630ר560ת500ב470ש450מ460ם300ע320נ310ן150ק210ד260ח250פ170ף30כ240ך80ט120צ120ץ20ג130ז130ס150"
_LATIN = {
    "german": "ä54ö30ü63ß31",
    "french": "é190à50è35ê22ç9ù6â5î5ô4û6ë1ï1œ2",
    "spanish": "á50é43í70ó83ú17ñ31ü2¿2¡2ª1º1",
    "portuguese": "ã73á47ç53é34ê45í18ó30õ4ú10â6ô6à7ª1º1",
    "italian": "à60è26é2ì3ò20ù17",
    "swedish": "å130ä180ö130é5",
    "danish": "å120æ90ø94é5",
    "icelandic": "á180é65í160ó100ú60ý23ð440þ150æ87ö78",
    "polish": "ą70ę110ć74ł210ń36ó110ś81ź8ż71",
    "czech": "á87č46ď2é63ě120í160ň1ó2ř38š69ť1ú5ů20ý100ž72",
    "slovak": "á200ä10č100ď20é100í150ľ40ĺ2ň20ó10ô20ŕ2š90ť50ú90ý100ž100",
    "hungarian": "á340é430í50ó60ö80ő90ú10ü60ű10",
    "romanian": "ă400â90î140ş130ţ120",
    "croatian": "č100ć60đ30š100ž60",
    "turkish": "ç120ğ110ı510ö80ş180ü190i30â5",
    "baltic": "ā300č50ē150ģ5ī200ķ10ļ30ņ40š100ū100ž70ą60ę30ė150į60ų120õ100ä100ö30ü60",
}

#: Bits of what no language has: signs of texts, foreign letters, whatever else; of an odd spelling, of a letter with an
#: accent among those without.
_SIGN, _FOREIGN, _OTHER, _ODD, _ACCENT = -8.0, -12.0, -15.0, -6.0, -2.0

Language = Mapping[str, float]
_LETTER = re.compile(r"(\D)(\d+)")


def _language(letters: str) -> Language:
    """How probable each letter is among all that are beyond ASCII, in bits below zero."""
    shares = {letter: int(share) for letter, share in _LETTER.findall(letters)}
    total = sum(shares.values())
    accents = _ACCENT if min(shares) < "\u0370" else 0.0
    return {letter: math.log2(share / total) + accents for letter, share in shares.items()}


_WEST = ("german", "french", "spanish", "portuguese", "italian", "swedish", "danish", "icelandic")
_CENTRAL = ("polish", "czech", "slovak", "hungarian", "romanian", "croatian", "german")
_SCRIPTS: Mapping[tuple[str, ...], tuple[str, ...]] = {
    ("cp1251", "cp866", "iso8859_5", "mac_cyrillic"): (_RUSSIAN, _UKRAINIAN, _BELARUSIAN, _SERBIAN),
    ("koi8_r",): (_RUSSIAN,),
    ("cp1253",): (_GREEK,),
    ("cp1255",): (_HEBREW,),
    ("koi8_u",): (_UKRAINIAN,),
    ("cp1252", "mac_roman", "cp850"): tuple(_LATIN[name] for name in _WEST),
    ("cp1250", "iso8859_2", "cp852"): tuple(_LATIN[name] for name in _CENTRAL),
    ("cp1254",): (_LATIN["turkish"],),
    ("cp1257",): (_LATIN["baltic"],),
}
#: Encodings with the languages that are written in them; the more usual of two that say the same stands first.
_LANGUAGES: Mapping[str, tuple[Language, ...]] = {
    encoding: tuple(map(_language, letters)) for encodings, letters in _SCRIPTS.items() for encoding in encodings
}
_ACCENTED = [encoding for encoding, languages in _LANGUAGES.items() if min(languages[0]) < "\u0370"]
#: Those whose letters are not judged here.
_OTHERS = ["cp1256", "cp874", "shift_jis", "euc_jp", "gb18030", "big5", "euc_kr"]

#: Bits per character that a text has at least, and by how many one reading has to be better than another.
_PLAUSIBLE, _BETTER = -9.0, 1.7
#: Characters that tell a language whose letters are not judged here.
_TELLING = 6
#: By how many bits these are more usual than others.
_USUAL = {
    **dict.fromkeys(("cp1251", "cp1252"), 0.5),
    **dict.fromkeys(("cp850", "cp852", "mac_roman", "iso8859_2", "cp1257", "cp1254", "cp1253", "cp1255"), -3.0),
}
_SIGNS = "«»„“”‘’‚…—–№€°§©®™±×·•\u00a0£¥"
_WORD = re.compile(r"[^\W\d_]+")
# Signs that stand beside no letter.
_TORN = re.compile(r"(?<=[^\W\d_])[—–•§©®™±×€£¥°№]|[—–•§©®™±×]+(?=[^\W\d_])|(?<=\d)[^\W\d_a-zA-Z](?=\d)")
# Signs that numbers have.
_OF_NUMBER = re.compile("(?<=\\d)[\u00a0\u202f](?=\\d)|(?<=\\d)[ \u00a0]?[€£]|[€£](?=[ \u00a0]?\\d)")


def _by_letters(text: bytes) -> str | None:
    """The encoding in which a text has the letters of a language; None where none has them, empty where two have."""
    readings: dict[str, tuple[float, str]] = {}
    for encoding, languages in _LANGUAGES.items():
        with contextlib.suppress(UnicodeDecodeError):
            decoded = text.decode(encoding)
            bits = _bits(decoded, languages) + _USUAL.get(encoding, 0.0)
            if decoded not in readings or bits > readings[decoded][0]:
                readings[decoded] = (bits, encoding)
    ranked = sorted(readings.values(), reverse=True)
    beyond = len(_BEYOND_ASCII.findall(text))
    plausible = _PLAUSIBLE + (0.0 if ranked and ranked[0][1] in _ACCENTED else 2.0)
    if beyond >= _TELLING and (not ranked or ranked[0][0] < plausible * beyond):
        return None
    if not ranked or ranked[0][0] < plausible * beyond:
        return ""
    # One or two letters are hardly any proof.
    better = _BETTER if beyond > 2 else 2 * _BETTER
    return ranked[0][1] if len(ranked) == 1 or ranked[0][0] - ranked[1][0] >= better else ""


def _bits(text: str, languages: tuple[Language, ...]) -> float:
    """How probable the characters beyond ASCII are in the language that suits best, as a logarithm."""
    beyond = Counter(character.lower() for character in text if not character.isascii())
    spelling = sum(map(_spelling, _WORD.findall(text))) + _ODD * len(_TORN.findall(text))
    spelling -= (_SIGN + 1) * len(_OF_NUMBER.findall(text))
    return spelling + max(
        sum(_bits_of(character, language) * count for character, count in beyond.items()) for language in languages
    )


def _bits_of(character: str, language: Language) -> float:
    known = language.get(character[0])
    if known is not None:
        return known
    return _SIGN if character in _SIGNS else _FOREIGN if character.isalpha() else _OTHER


def _spelling(word: str) -> float:
    """What is odd about a word: capitals behind small letters, letters of two scripts, nothing but accents."""
    if word.isascii():
        return 0.0
    odd = sum(before.islower() and after.isupper() for before, after in itertools.pairwise(word))
    ascii_letters = sum(map(str.isascii, word))
    accents = len(word) - ascii_letters
    if max(word) >= "\u0370":
        odd += ascii_letters
    # Words of Latin letters have fewer with an accent than without.
    elif accents > 1 and accents > ascii_letters:
        return _ODD * odd + _ACCENT * accents
    return _ODD * odd
