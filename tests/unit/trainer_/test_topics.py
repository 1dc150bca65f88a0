"""Which topics a history was read from, kept by twins at the same time."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from trainer.history.topics import TopicIds


def test_what_many_keep_at_once_is_all_there_and_always_readable(tmp_path: Path) -> None:
    names = [f"topic-{n}" for n in range(200)]

    def keep(name: str) -> str | None:
        ids = TopicIds(tmp_path / "history")
        ids.put(name, name.upper())
        return ids.get(name)

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(keep, names)) == [name.upper() for name in names]
    ids = TopicIds(tmp_path / "history")
    assert [ids.get(name) for name in names] == [name.upper() for name in names]
    assert [path.name for path in (tmp_path / "history").glob("*.tmp")] == []
