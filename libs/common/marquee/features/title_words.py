"""Words of a title that tell which movies belong together: those of a series share the first ones.

Articles, numerals and what stands for the number of a part are left out, plurals lose their s:
"Alien³ (a.k.a. Alien 3)" and "Aliens" share the word "alien".
"""

import itertools
import re
import unicodedata
from zlib import crc32

import numpy as np

from marquee.arrays import Vector

WORD_SLOTS, PAIR_SLOTS = 2, 3
SLOTS = 1 + WORD_SLOTS + PAIR_SLOTS
"""Ids of a title: one of its lead, those of its words, and those of pairs of words."""

_STOP_TEXT = """
a an the of and in on to up for with at by from or vs versus is s t aka inc movie part episode vol
volume chapter le la les l un une de del du des el los las il der das et
"""
_STOP_WORDS = frozenset(_STOP_TEXT.split())
_COMMON_TEXT = """
i me my mine you your he him his she her we us our they them their it that this these those who what
when where why how which all any some no not never every everything nothing something be am are was
were been do did does have has had can could will would shall should must may might let
say get make go know take see come think look want give use find tell ask work seem feel try leave
call
time person year way day thing man men world life hand child eye woman women place week case point
government company number group problem fact
good new first last long great little own other old right big high different small large next early
young important few public bad same able
as but if out into over under after before about like just only than then there here off down
through more most much very so too again still now one two three
"""
_COMMON_WORDS = frozenset(_COMMON_TEXT.split())
"""Function words and the most frequent nouns, verbs and adjectives of English."""
_NUMERAL = re.compile(r"\d+(?:d|st|nd|rd|th)?|(?=[ivx])x{0,3}(?:ix|iv|v?i{0,3})")
_SUBTITLE = re.compile(r":|\s-\s")
_PART = re.compile(rf"\b(?:{_NUMERAL.pattern})\b|(?<=[a-z])\d\b")
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
    words = [*_main_words(text), *_kept(" ".join(_BRACKETS.findall(text)))]
    return tuple(dict.fromkeys(words or _WORD.findall(text) or [text.strip()]))


def lead_words(title: str) -> tuple[str, ...]:
    """Return the first words, two at most, before a subtitle or the number of a part.

    "Alien: Covenant" and "Alien³" lead with "alien" alone, "Alien Nation" with both its words.
    """
    main = _plain(title)
    for end in (_SUBTITLE, _PART):
        shorter = end.split(main, maxsplit=1)[0]
        main = shorter if _main_words(shorter) else main
    return tuple(dict.fromkeys(_main_words(main)))[:2] or title_words(title)[:2]


def word_ids(title: str) -> Vector:
    """Return `SLOTS` ids of a title, float32, 0 where it has fewer words.

    The first id is that of the lead, then come words that are not common in English, none of a
    title in brackets, then pairs of neighbouring words: "Die Hard" and "Live Free or Die Hard"
    share one.
    """
    words, lead = title_words(title), lead_words(title)
    main = dict.fromkeys(_main_words(_plain(title)))
    singles = [word for word in main if word not in _COMMON_WORDS][:WORD_SLOTS]
    pairs = [pair for pair in itertools.pairwise(words) if pair != lead][:PAIR_SLOTS]
    ids = np.zeros(SLOTS, np.float32)
    ids[0] = _hash(" ".join(("", *lead)))
    ids[1 : 1 + len(singles)] = [_hash(word) for word in singles]
    start = 1 + WORD_SLOTS
    ids[start : start + len(pairs)] = [_hash(" ".join(("", *pair))) for pair in pairs]
    return ids


def _plain(title: str) -> str:
    """Return a title in lower case, without accents and apostrophes, hyphenated words joined."""
    letters = unicodedata.normalize("NFKD", title.lower())
    text = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return _HYPHEN.sub("", _APOSTROPHE.sub("", text))


def _main_words(text: str) -> list[str]:
    """Return the words before and after brackets, which hold other titles of a movie."""
    return _kept(_BRACKETS.sub(" ", text))


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
