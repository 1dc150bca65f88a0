"""Encodings of text files: named by the user, or recognised and told."""

import codecs
from collections.abc import Iterable
from dataclasses import dataclass

from charset_normalizer import from_bytes

from marquee.errors import DataError
from trainer.datasets.text.codec_names import is_text_codec
from trainer.datasets.text.word_shapes import LATIN, by_word_shapes

_SAMPLE = 1 << 18
"""Bytes of lines with other than ASCII characters that are enough to tell an encoding by."""
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ENCODINGS = [
    "cp1252", "cp1251", "cp1250", "cp1253", "cp1254", "koi8_r",
    "gb18030", "big5", "shift_jis", "euc_jp", "euc_kr",
]  # fmt: skip
"""Encodings that are recognised besides UTF-8 and UTF-16."""
_ENOUGH = 64
"""Bytes beyond ASCII from which on letters tell an encoding, one of several bytes a letter too."""
FAULT = "\ufffd"
"""What stands in place of bytes that are no letter."""


class UncertainEncoding(DataError):
    """A text has too few letters to tell its encoding by."""


@dataclass(frozen=True)
class Decoded:
    """The text of a file, its encoding, and whether that was recognised by its letters.

    `has_faults`: Some lines are in another encoding; `FAULT` stands in place of their letters.
    """

    text: str
    encoding: str
    is_guessed: bool = False
    has_faults: bool = False


def decode(
    data: bytes,
    file: str,
    encoding: str | None = None,
    fallback: str | None = None,
    others: str | None = None,
) -> Decoded:
    """Return the text of a file.

    Args:
        data: Its content.
        file: Its name, for errors.
        encoding: What the user says that it is; None: recognised.
        fallback: What it is by its layout where it is not UTF-8; None: recognised.
        others: What the files beside it are, which counts where its own letters are few.

    Raises:
        DataError: The encoding is unknown, or does not fit the file, or it is no text.
        UncertainEncoding: Its letters are too few to tell.
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
        if fallback is not None:
            return Decoded(_as(data, file, fallback), fallback)
        if _is_mostly_utf8(data):
            return Decoded(data.decode("utf-8", "replace"), "utf-8", has_faults=True)
        guessed = _recognised(_telling_lines(data), others)
    if guessed is None:
        raise UncertainEncoding(
            f"{file}: too few letters beyond ASCII to tell the encoding by; save it as UTF-8, or"
            " name the encoding by --encoding",
            "encoding",
        )
    return Decoded(_as(data, file, guessed), guessed, is_guessed=True)


def encoding_of_all(texts: Iterable[bytes]) -> str | None:
    """Return the encoding that the files of a data set share, by the one that tells most.

    Where none tells enough alone, the letters of all together decide. None: all are UTF-8, or the
    letters are too few.
    """
    samples = [_telling_lines(text) for text in texts if not is_known(text)]
    surest = max(samples, key=_evidence, default=b"")
    if _evidence(surest) < _ENOUGH:
        surest = b"".join(samples)
    return _recognised(surest) if surest else None


def is_known(data: bytes) -> bool:
    """Return whether a text needs no guess: it is UTF-8 for the most, or wide, or none at all."""
    if b"\0" in data or data.startswith(tuple(mark for mark, _ in _MARKS)):
        return True
    return _decodes(data, "utf-8") or _is_mostly_utf8(data)


def checked_encoding(encoding: str | None) -> str | None:
    """Return the name of an encoding as it was given.

    Raises:
        DataError: There is no such encoding.
    """
    if encoding is not None and not is_text_codec(encoding):
        raise DataError(
            f"encoding {encoding!r} is not known; as utf-8, cp1251, cp1252 or gb18030",
            "encoding",
        )
    return encoding


def _as(data: bytes, file: str, encoding: str) -> str:
    checked_encoding(encoding)
    try:
        return data.decode(encoding)
    except UnicodeError as error:
        start = error.start if isinstance(error, UnicodeDecodeError) else 0
        line = data.count(b"\n", 0, start) + 1
        raise DataError(
            f"{file}, line {line}: the text is not {encoding}; name its encoding by --encoding",
            "encoding",
        ) from None


def _is_mostly_utf8(data: bytes) -> bool:
    """Return whether most lines with other letters than those of ASCII are UTF-8.

    Text of another encoding hardly ever is by chance.
    """
    good = bad = 0
    for line in data.splitlines():
        if not line.isascii():
            is_good = _decodes(line, "utf-8")
            good, bad = good + is_good, bad + (not is_good)
    return good > bad


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _evidence(data: bytes) -> int:
    """Return the number of bytes beyond ASCII."""
    return sum(byte > 127 for byte in data)


def _telling_lines(data: bytes) -> bytes:
    """Return lines with other letters than those of ASCII: only they tell anything."""
    sample = bytearray()
    for line in data.splitlines(keepends=True):
        if not line.isascii():
            sample += line
        if len(sample) >= _SAMPLE:
            break
    return bytes(sample)


def _recognised(sample: bytes, others: str | None = None) -> str | None:
    """Return the encoding of text that is not UTF-8, by its letters; None: they are too few.

    Statistics of letters take a handful of bytes for Chinese or Korean: few of them are what the
    files beside are, else of one byte a letter where that makes words.
    """
    by_words = by_word_shapes(sample)
    if _evidence(sample) < _ENOUGH:
        return others if others and _decodes(sample, others) else by_words
    found = from_bytes(sample, cp_isolation=_ENCODINGS).best()
    best = found.encoding if found else "cp1252"
    if best in LATIN and by_words not in LATIN:  # words of accents alone
        return by_words or best
    return "cp1252" if _is_western(sample, best) else best


def _is_western(data: bytes, encoding: str) -> bool:
    """Return whether text of a Latin code page reads as well in cp1252, the commonest of them."""
    if encoding not in ("cp1250", "cp1254"):
        return False
    try:
        return data.decode("cp1252") == data.decode(encoding)
    except UnicodeDecodeError:
        return False
