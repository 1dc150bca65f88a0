"""Tables of JSON lines that are not all of one kind, or no JSON."""

from pathlib import Path

import pytest

from marquee.errors import DataError
from trainer.datasets.reader import read_dataset

MOVIES = "movieId,title\n1,One\n2,Two\n"
RATINGS = "userId,movieId,rating\n1,1,5\n"


@pytest.mark.parametrize("odd", ["5.0", str(2**63), '"x"', "5.5"])
def test_one_other_id_among_json_lines_leaves_the_others_as_they_are(
    tmp_path: Path, odd: str
) -> None:
    ids = [*map(str, range(1, 41)), odd]
    lines = [f'{{"userId":{user},"movieId":1,"rating":4.5}}' for user in ids]
    (tmp_path / "ratings.jsonl").write_text("\n".join(lines))
    (tmp_path / "movies.csv").write_text(MOVIES)
    data, report = read_dataset(tmp_path)
    assert set(data.user_ids[data.user_ids > 0].tolist()) == set(range(1, 41))
    texts = [] if odd == str(2**63) else [odd.strip('"')]
    assert list(data.user_texts.values()) == texts
    assert report.malformed == (not texts)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (MOVIES.encode("utf-16"), "line 1: JSON lines must be in UTF-8"),
        (b'{"movieId":1,"title":"A"}\n{"movieId":2,"title":"\xe9"}\n', "line 2: JSON lines must"),
        (b"[" * 9999, "cannot be read: line 1: no JSON object"),
        (b'{"movieId":1,"\\ud800":"A"}\n', "cannot be read"),
    ],
)
def test_json_lines_that_cannot_be_read_are_named(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    (tmp_path / "movies.jsonl").write_bytes(content)
    (tmp_path / "ratings.csv").write_text(RATINGS)
    with pytest.raises(DataError, match=rf"movies\.jsonl.*{reason}"):
        read_dataset(tmp_path)


def test_half_a_letter_is_a_question_mark(tmp_path: Path) -> None:
    text = '{"movieId":1,"title":"A\\ud800","genres":["x"],"cast":["B\\ud800"]}\n'
    (tmp_path / "movies.jsonl").write_bytes(text.encode("utf-8-sig"))
    data, _ = read_dataset(tmp_path)
    assert (data.movies[0].title, data.movies[0].people) == ("A?", ("B?",))
