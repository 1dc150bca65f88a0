"""Words of a title that tell which movies belong together: those of a series share the first ones.

Articles, numerals and what stands for the number of a part are left out, plurals lose their s:
"Alien³ (a.k.a. Alien 3)" and "Aliens" share the word "alien".
"""

import re
import unicodedata
from zlib import crc32

import numpy as np

from marquee.arrays import Vector

SLOTS = 6
"""Ids of a title: one of its first two words together, then its words, those in brackets last."""

_STOP_TEXT = """
a an the of and in on to up for with at by from or vs versus is s t aka inc movie part episode vol
volume chapter le la les l un une de del du des el los las il der das et
"""
_STOP_WORDS = frozenset(_STOP_TEXT.split())
_NUMERAL = re.compile(r"\d+(?:d|st|nd|rd|th)?|(?=[ivx])x{0,3}(?:ix|iv|v?i{0,3})")
_APOSTROPHE = re.compile(r"['’`](?:s\b)?")
_HYPHEN = re.compile(r"(?<=\w)-(?=\w)")
_BRACKETS = re.compile(r"\(([^)]*)\)")
_WORD = re.compile(r"[^\W_]+")
_LAST_DIGIT = re.compile(r"(?<=[a-z])\d$")
_ID_BITS = 24
"""A float32 holds whole numbers of 24 bits exactly."""


def title_words(title: str) -> tuple[str, ...]:
    """Return the distinct words of a title without articles and numerals, at least one.

    A title of nothing else, as "300", keeps them.
    """
    text = _plain(title.replace("a.k.a.", ""))
    main, alternatives = _BRACKETS.sub(" ", text), " ".join(_BRACKETS.findall(text))
    words = [*_kept(main), *_kept(alternatives)] or _WORD.findall(text) or [text.strip()]
    return tuple(dict.fromkeys(words))


def word_ids(title: str) -> Vector:
    """Return `SLOTS` ids of a title, float32, 0 where it has fewer words.

    The first one is that of the first two words together: a beginning that few titles share.
    """
    words = title_words(title)
    ids = np.zeros(SLOTS, np.float32)
    hashes = [_hash(" ".join(("", *words[:2]))), *map(_hash, words)][:SLOTS]
    ids[: len(hashes)] = hashes
    return ids


def _plain(title: str) -> str:
    """Return a title in lower case, without accents and apostrophes, hyphenated words joined."""
    letters = unicodedata.normalize("NFKD", title.lower())
    text = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return _HYPHEN.sub("", _APOSTROPHE.sub("", text))


def _kept(text: str) -> list[str]:
    words = _WORD.findall(text)
    return [
        _singular(_LAST_DIGIT.sub("", word))
        for word in words
        if word not in _STOP_WORDS and not _NUMERAL.fullmatch(word)
    ]


def _singular(word: str) -> str:
    is_plural = len(word) > 3 and word.endswith("s") and not word.endswith("ss")
    return word[:-1] if is_plural else word


def _hash(word: str) -> int:
    return crc32(word.encode()) % ((1 << _ID_BITS) - 1) + 1
