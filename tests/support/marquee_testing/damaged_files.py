"""Small files of each layout, and what is put into them to damage them."""

import io
import json
import zipfile
from collections.abc import Iterable

Files = dict[str, bytes]
"""Content of files by name."""

MARKS = [
    (u, (u * 3 + i) % 12 + 1, (u + i) % 5 + 1, 10**9 + u * 60 + i)
    for u in range(1, 6)
    for i in range(6)
]
FILMS = [(i, f"Film {i}, The (1990)", "Drama|Comedy") for i in range(1, 13)]
TOKENS = [
    b"\0", b'"', b"\n", b"\r", b",", b";", b"\t", b"|", b"::", b"\xff", b"\xef\xbb\xbf",
    b"\xff\xfe", b"-1", b"0", b"nan", b"inf", b"1e400", b"9" * 23, b"null", b"true", b"[]", b"{}",
    b"[", b'{"a":', b"\\ud800", b"\xd0", b"\xe2\x80\xae", b"'", b"\\", b"(", b"1e5", b"0x1",
    b"2024-13-45", b"9999-12-31", b"0001-01-01", b"\xd9\xa3", b"\x1a", b" ", b"x" * 200, b'""',
    b"ab-" + b"abcdefgh-" * 6 + b"a", b"NaN", b"Infinity", b"1_0", b"-0", b"+5", b"0.25",
    b"12:30", b"\x85", b"[1,2]", b"None", b"[{'name': None}]", b"[{'job':5}]", b"[{[1]: 2}]",
    b"[{'job':'Director'}]", b"[[1]]", b"[" * 500, b"1.0", b"\xed\xa0\x80", b'["\\ud800"]',
    b"'\\d'", b"20010909", b"-007", b"5",
]  # fmt: skip
OPTIONS: list[dict[str, object]] = [
    {},
    {"max_loss": "100%"},
    {"encoding": "cp1251", "max_loss": "100%"},
    {"encoding": "utf-16"},
    {"separator": ";"},
    {"scale": "1-10"},
    {"every_row_likes": True},
    {"columns": "rating=timestamp"},
    {"columns": "title=genres"},
    {"columns": "movie=userId,user=movieId"},
    {"columns": "time=rating"},
    {"columns": "genres=title"},
]


def _table(header: str, rows: Iterable[tuple[object, ...]], separator: str = ",") -> bytes:
    lines = [separator.join(_quoted(field, separator) for field in row) for row in rows]
    return "".join(f"{line}\n" for line in [*([header] if header else []), *lines]).encode()


def _quoted(field: object, separator: str) -> str:
    text = str(field)
    is_plain = len(separator) > 1 or not (separator in text or '"' in text)
    return text if is_plain else '"' + text.replace('"', '""') + '"'


def _lines(rows: Iterable[dict[str, object]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def _csv() -> Files:
    header = "movieId,title,genres,runtime,language,certificate,cast"
    films = [(*film, 90, "en", "16+", '[{"name": "A B"}]') for film in FILMS]
    return {
        "ratings.csv": _table("userId,movieId,rating,timestamp", MARKS),
        "movies.csv": _table(header, films),
        "tags.csv": _table(
            "userId,movieId,tag,timestamp", [(u, m, f"fun {m % 3}", 5) for u, m, *_ in MARKS]
        ),
        "links.csv": _table("movieId,imdbId,tmdbId", [(i, f"{i:07}", i) for i, *_ in FILMS]),
        "genome-scores.csv": _table(
            "movieId,tagId,relevance", [(i, t, 0.5) for i, *_ in FILMS for t in (1, 2)]
        ),
        "genome-tags.csv": b"tagId,tag\n1,fun\n2,sad\n",
    }


def _zip(files: Files) -> Files:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(f"x/{name}", content)
    return {"a.zip": out.getvalue()}


def _flags(film: tuple[int, str, str]) -> tuple[object, ...]:
    number, title, _ = film
    return number, title, "01-Jan-1990", "", "u", *((number + i) % 2 for i in range(19))


def _metadata(number: int) -> tuple[object, ...]:
    return number, f"F{number}", "[{'id':1,'name':'Drama'}]", "1990-01-01", "en", 90


_SECTION = b"%d:\n7,5,2005-09-06\n8,%d,2005-09-07\n"
_METADATA = "id,title,genres,release_date,original_language,runtime"
_CREDITS = ("[{'name':'A'}]", "[{'job':'Director','name':'D'}]")


def seeds() -> dict[str, Files]:
    """Return files of each layout by its name."""
    table = _csv()
    n = range(1, 13)
    return {
        "tables": table,
        "lines": {
            "ratings.jsonl": _lines(
                {"userId": u, "movieId": m, "rating": r} for u, m, r, _ in MARKS
            ),
            "movies.jsonl": _lines(
                {
                    "movieId": i,
                    "title": t,
                    "genres": g.split("|"),
                    "runtime": 90,
                    "cast": ["A", "B"],
                }
                for i, t, g in FILMS
            ),
        },
        "dat": {
            "ratings.dat": _table("", MARKS, "::"),
            "movies.dat": _table("", FILMS, "::"),
            "tags.dat": b"1::1::x::5\n",
        },
        "100k": {
            "u.data": _table("", MARKS, "\t"),
            "u.item": _table("", map(_flags, FILMS), "|"),
            "u.genre": b"unknown|0\nAction|1\n",
        },
        "netflix": {
            "combined_data_1.txt": b"".join(_SECTION % (i, i % 5 + 1) for i in n),
            "movie_titles.csv": _table("", [(i, 1990 + i, f"Title {i}") for i in n]),
        },
        "tmdb": {
            "movies_metadata.csv": _table(_METADATA, map(_metadata, n)),
            "ratings.csv": table["ratings.csv"],
            "links.csv": table["links.csv"],
            "credits.csv": _table("cast,crew,id", [(*_CREDITS, i) for i in n]),
            "keywords.csv": _table("id,keywords", [(i, "[{'id':1,'name':'k'}]") for i in n]),
        },
        "zip": _zip(table),
    }
