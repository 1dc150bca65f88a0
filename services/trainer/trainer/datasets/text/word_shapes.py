"""Code pages of few letters: the one of one byte a letter in which they make words."""

import re
from collections.abc import Iterable

_CODE_PAGES = ("cp1252", "cp1251", "koi8_r", "cp1253", "cp1250", "cp1254")
"""Of equally good ones the first counts."""
LATIN = frozenset({"cp1252", "cp1250", "cp1254"})
"""Those of letters of ASCII and others with accents."""
_VOWELS = frozenset("аеёиоуыэюяіїєўαεηιουωάέήίόύώϊϋ")
_MARKS = frozenset("«»‹›„“”‘’‚–—…№©®™¿¡\xa0\xad")
"""Characters that stand between words."""
_TOKEN = re.compile(r"[^\W\d_]+|[^\x00-\x7f]")
_LEAST = 0.75
"""Share of words that may be some in the code page of a text."""


def by_word_shapes(sample: bytes) -> str | None:
    """Return the code page in which most words of a text may be some, or None."""
    shares = {name: _share(sample, name) for name in _CODE_PAGES}
    best = max(shares, key=lambda name: shares[name])
    return best if shares[best] >= _LEAST else None


def _share(sample: bytes, code_page: str) -> float:
    """Return the share of plausible words among those with letters beyond ASCII."""
    try:
        words = list(_words(sample.decode(code_page)))
    except UnicodeDecodeError:
        return 0.0
    is_plausible = _is_latin if code_page in LATIN else _is_of_own_script
    return sum(map(is_plausible, words)) / len(words) if words else 0.0


def _words(text: str) -> Iterable[str]:
    tokens = _TOKEN.findall(text)
    return (token for token in tokens if not token.isascii() and token not in _MARKS)


def _is_latin(word: str) -> bool:
    """Return whether a word has a letter of ASCII too, as nearly all with accents."""
    return _is_cased(word) and (len(word) == 1 or any(letter.isascii() for letter in word))


def _is_of_own_script(word: str) -> bool:
    """Return whether a word has no letter of ASCII, and a vowel unless it is short."""
    if not _is_cased(word) or any(letter.isascii() for letter in word):
        return False
    return len(word) < 3 or any(letter in _VOWELS for letter in word.lower())


def _is_cased(word: str) -> bool:
    """Return whether capitals are where they may be: nowhere, at the beginning, or everywhere."""
    return word.isalpha() and (word[1:] == word[1:].lower() or word == word.upper())
