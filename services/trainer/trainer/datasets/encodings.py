"""Encodings of text files: named by the user, or recognised and told."""

import codecs
from dataclasses import dataclass

from charset_normalizer import from_bytes

from marquee.errors import DataError

_SAMPLE = 1 << 18
"""Bytes of lines with other than ASCII characters that are enough to tell an encoding by."""
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ENCODINGS = [
    "cp1252", "cp1251", "cp1250", "cp1253", "cp1254", "koi8_r",
    "gb18030", "big5", "shift_jis", "euc_jp", "euc_kr",
]  # fmt: skip
"""Encodings that are recognised besides UTF-8 and UTF-16."""


@dataclass(frozen=True)
class Decoded:
    """The text of a file, its encoding, and whether that was recognised by its letters."""

    text: str
    encoding: str
    is_guessed: bool = False


def decode(data: bytes, file: str, encoding: str | None = None) -> Decoded:
    """Return the text of a file.

    Args:
        data: Its content.
        file: Its name, for errors.
        encoding: What the user says that it is; None: recognised.

    Raises:
        DataError: The encoding is unknown, or does not fit the file, or it is no text.
    """
    if encoding is not None:
        return Decoded(_as(data, file, encoding), encoding)
    for mark, name in _MARKS:
        if data.startswith(mark):
            return Decoded(_as(data, file, name), name.removesuffix("-sig"))
    if b"\0" in data:
        raise DataError(
            f"{file}: no text: it has zero bytes; if it is UTF-16, say --encoding utf-16", "path"
        )
    try:
        return Decoded(data.decode("utf-8"), "utf-8")
    except UnicodeDecodeError:
        name = _recognised(data)
    return Decoded(_as(data, file, name), name, is_guessed=True)


def checked_encoding(encoding: str | None) -> str | None:
    """Return the name of an encoding as it was given.

    Raises:
        DataError: There is no such encoding.
    """
    if encoding is not None:
        try:
            codecs.lookup(encoding)
        except LookupError:
            raise DataError(
                f"encoding {encoding!r} is not known; as utf-8, cp1251, cp1252 or gb18030",
                "encoding",
            ) from None
    return encoding


def _as(data: bytes, file: str, encoding: str) -> str:
    checked_encoding(encoding)
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{file}, line {line}: the text is not {encoding}; name its encoding by --encoding",
            "encoding",
        ) from None


def _recognised(data: bytes) -> str:
    """Return the encoding of text that is not UTF-8, by its letters; cp1252 if they tell nothing.

    Only lines with other letters than those of ASCII tell anything.
    """
    sample = bytearray()
    for line in data.splitlines(keepends=True):
        if not line.isascii():
            sample += line
        if len(sample) >= _SAMPLE:
            break
    best = from_bytes(bytes(sample), cp_isolation=_ENCODINGS).best()
    return "cp1252" if best is None or _is_western(data, best.encoding) else best.encoding


def _is_western(data: bytes, encoding: str) -> bool:
    """Return whether text of a Latin code page reads as well in cp1252, the commonest of them."""
    if encoding not in ("cp1250", "cp1254"):
        return False
    try:
        return data.decode("cp1252") == data.decode(encoding)
    except UnicodeDecodeError:
        return False
