"""Conversion of MovieLens titles to those of the catalogue."""

import re

from marquee.domain.movies import YEARS

_ARTICLES = (
    "The|A|An|Le|La|Les|L'|Un|Une|Il|Lo|Gli|I|El|Los|Las|Una|Der|Die|Das|Ein|Eine|Den|Det|De|Het"
)
_YEAR = re.compile(r"\s*\(\s*(\d{4})\s*(?:[-–—]\s*(?:\d{4})?\s*)?\)\s*$")
# An article after the last comma of the title, or of an alternative title in brackets.
_ARTICLE_LAST = re.compile(rf"(^|\()((?:a\.k\.a\. )?)([^()]+), ({_ARTICLES})(?=\)|\s*\(|$)")


def split_title(text: str) -> tuple[str, int | None]:
    """Split a MovieLens title: `"Matrix, The (1999)"` gives `("The Matrix", 1999)`.

    Of a span of years (`(2006–2007)`, `(2007-)`) the first counts; without a year it is None.
    """
    text = " ".join(text.split())
    year = _YEAR.search(text)
    if not year or int(year[1]) not in YEARS or not text[: year.start()]:
        return _articles_first(text), None
    return _articles_first(text[: year.start()]), int(year[1])


def _articles_first(title: str) -> str:
    return _ARTICLE_LAST.sub(_article_first, title)


def _article_first(match: re.Match[str]) -> str:
    opening, also_known_as, title, article = match.groups()
    space = "" if article.endswith("'") else " "
    return f"{opening}{also_known_as}{article}{space}{title}"
