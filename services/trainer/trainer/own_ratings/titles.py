"""Keys of titles: two spellings of one title have a key in common.

A key has no case, accents, punctuation and blanks; an article that was moved to the end stands in
front again, "and" is as good as "&", and numbers are digits: "Misérables, Les", "Les misérables"
and "LES MISERABLES" have the key `lesmiserables`, "Rocky II" and "Rocky 2" `rocky2`. Nothing that
tells two titles apart is dropped: an article stays, so does a subtitle.
"""

import re
import unicodedata
from collections.abc import Iterator

_ARTICLE_TEXT = """
the a an le la les l' un une des il lo gli i el los las una unos unas der die das ein eine den det
de het en ett o os as um uma az egy
"""
_ARTICLES = frozenset(_ARTICLE_TEXT.split())
_ARTICLE_LAST = re.compile(r"^(.+),\s*(\S+)$", re.DOTALL)
_LAST_BRACKET = re.compile(r"^(.*\S)\s*\(([^()]*)\)\s*$", re.DOTALL)
_ALSO_KNOWN_AS = re.compile(r"^\s*(?:a\.?k\.?a\.?|also known as)\s+", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+")
_APOSTROPHES = re.compile(r"['’‘`´ʼ]")
_AND = re.compile(r"\s*&\s*|(?<=\s)\+(?=\s)")
_LETTERS = str.maketrans(
    {"ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "ı": "i", "þ": "th"}
)
_RAISED = re.compile("(?<=[^\\W\\d_])(?=[²³¹⁰⁴-⁹])|(?=[¼-¾⅐-⅞])")
"""Before raised digits and fractions: "Alien³" has two words, "8½" three."""
_ROMAN = re.compile(r"(?=[ivx])x{0,3}(?:ix|iv|v?i{0,3})")
_ROMAN_DIGITS = {"i": 1, "v": 5, "x": 10}
_SAME_WORDS = {
    "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7",
    "eight": "8", "nine": "9", "ten": "10", "eleven": "11", "twelve": "12", "thirteen": "13",
    "vol": "volume", "pt": "part", "versus": "vs",
}  # fmt: skip
_MARK_TEXT = """
part volume chapter episode version edition cut extended uncut directors director theatrical
restored remastered tv series miniseries film movie imax 3d short the a i ii
"""
_MARKS = frozenset(_MARK_TEXT.split())
"""Words that tell a version or part in brackets; these alone are no other title."""


def title_keys(title: str) -> frozenset[str]:
    """Return the keys of a title, one at least.

    Brackets at the end hold other titles: "Seven (a.k.a. Se7en)" has the keys of "Seven" and of
    "Se7en" as well. Those that hold a part or version, "It (Part 1)", belong to the title.
    """
    return frozenset(key for variant in _variants(title) if (key := _key(variant))) or frozenset(
        (title.casefold().strip(),)
    )


def _variants(title: str) -> Iterator[str]:
    yield title
    rest = title
    while match := _LAST_BRACKET.match(rest):
        before, inside = match.groups()
        if _is_mark(inside) and _key(inside) != _key(before):
            return
        for other in inside.split("/"):
            yield _ALSO_KNOWN_AS.sub("", other)
        yield before
        rest = before


def _is_mark(text: str) -> bool:
    words = _WORD.findall(_plain(text))
    return all(word in _MARKS or word.isdigit() or word in _SAME_WORDS for word in words)


def _key(title: str) -> str:
    words = _WORD.findall(_plain(_article_first(title)))
    return "".join(_same(word, place) for place, word in enumerate(words))


def _article_first(title: str) -> str:
    match = _ARTICLE_LAST.match(title.strip())
    if not match or _APOSTROPHES.sub("'", match[2]).casefold() not in _ARTICLES:
        return title
    # An elided article is one word with the next, as apostrophes are dropped.
    blank = "" if _APOSTROPHES.search(match[2]) else " "
    return f"{match[2]}{blank}{match[1]}"


def _plain(text: str) -> str:
    folded = _RAISED.sub(" ", text).casefold().translate(_LETTERS)
    letters = unicodedata.normalize("NFKD", _AND.sub(" and ", folded))
    return _APOSTROPHES.sub("", "".join(c for c in letters if not unicodedata.combining(c)))


def _same(word: str, place: int) -> str:
    """Return a word in the one way to write it; Roman numbers count behind the first word."""
    if place and _ROMAN.fullmatch(word):
        values = [_ROMAN_DIGITS[letter] for letter in word]
        pairs = zip(values, [*values[1:], 0], strict=True)
        return str(sum(-value if value < after else value for value, after in pairs))
    return _SAME_WORDS.get(word, word)
