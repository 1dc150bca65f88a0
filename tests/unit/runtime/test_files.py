"""Files that several writers replace at the same time, and locks that die with their holder."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from marquee.arrays import save_json
from marquee.files import delete_stale, is_locked, locked, replace_file, staged
from marquee.registry.bundle import Manifest, seal
from marquee.registry.registry import Registry

WRITERS = 8
HOLDER = """
import sys, time
from pathlib import Path
from marquee.files import locked
with locked(Path(sys.argv[1])):
    print("holds", flush=True)
    time.sleep(60)
"""


def at_once(write: Callable[[int], object]) -> list[object]:
    """Call `write` in threads, which share a process id as two containers do, at one moment."""
    start = Barrier(WRITERS)

    def run(i: int) -> object:
        start.wait()
        return write(i)

    with ThreadPoolExecutor(WRITERS) as threads:
        return list(threads.map(run, range(WRITERS)))


def test_a_file_that_many_replace_at_once_is_always_whole(tmp_path: Path) -> None:
    path = tmp_path / "folder/file"
    whole = {f"{i}" * 100_000 for i in range(WRITERS)}

    def write(i: int) -> bool:
        for _ in range(20):
            replace_file(path, f"{i}" * 100_000)
            if path.read_text() not in whole:
                return False
        return True

    assert all(at_once(write))
    assert [file.name for file in path.parent.iterdir()] == ["file"]


def test_a_write_that_fails_leaves_the_old_file_alone(tmp_path: Path) -> None:
    replace_file(tmp_path / "file", b"old")
    with pytest.raises(TypeError):
        replace_file(tmp_path / "file", 7)  # type: ignore[arg-type]
    with staged(tmp_path / "file") as part:
        part.write_bytes(b"ne")
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"old"]


def test_a_directory_that_is_not_renamed_is_deleted(tmp_path: Path) -> None:
    with staged(tmp_path / "bundle") as part:
        part.mkdir()
        (part / "file").touch()
    assert list(tmp_path.iterdir()) == []


def test_a_temporary_file_of_a_living_writer_is_not_stale(tmp_path: Path) -> None:
    with staged(tmp_path / "file") as part:
        part.touch()
        delete_stale(tmp_path)
        delete_stale(tmp_path / "missing")
        assert part.exists()


def test_of_two_that_want_a_lock_one_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "folder/lock"
    assert not is_locked(path)
    with locked(path):
        assert is_locked(path)
        with pytest.raises(BlockingIOError), locked(path, wait=False):
            pass
        assert is_locked(path)
    assert not is_locked(path)
    with locked(path, wait=False):
        pass


def test_a_killed_process_holds_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "holds\n"
        assert is_locked(path)
        holder.kill()
        holder.wait()
        with locked(path, wait=False):
            pass


@pytest.fixture
def bundle(tmp_path: Path) -> tuple[Path, Manifest]:
    folder = tmp_path / "bundle"
    folder.mkdir()
    for i in range(50):
        save_json(folder / f"part-{i}.json", {"i": i})
    return folder, seal(folder, "content", data_version="1")


def test_a_version_that_many_add_at_once_is_there_once_and_whole(
    bundle: tuple[Path, Manifest], tmp_path: Path
) -> None:
    folder, manifest = bundle
    registry = Registry(tmp_path / "registry")
    assert at_once(lambda _: registry.add(folder)) == [manifest] * WRITERS
    assert registry.open(registry.address("content", manifest.version), manifest.digest)
    assert len(list((tmp_path / "registry/content").iterdir())) == 1


def test_a_version_that_many_announce_and_remove_at_once_leaves_nothing_half_done(
    bundle: tuple[Path, Manifest], tmp_path: Path
) -> None:
    folder, manifest = bundle
    registry = Registry(tmp_path / "registry")
    registry.add(folder)
    at_once(lambda i: registry.mark_announced("content", f"version-{i}"))
    assert len(registry.announced("content")) in (1, 2)
    at_once(lambda _: registry.remove("content", manifest.version))
    assert [path.name for path in (tmp_path / "registry/content").iterdir()] == [".asked"]


def test_figures_that_many_add_at_once_leave_a_readable_manifest(
    bundle: tuple[Path, Manifest], tmp_path: Path
) -> None:
    folder, manifest = bundle
    registry = Registry(tmp_path / "registry")
    registry.add(folder)
    at_once(lambda i: registry.add_metrics("content", manifest.version, {f"metric_{i}": 1.0}))
    assert registry.manifest("content", manifest.version).metrics
    registry.open(registry.address("content", manifest.version), manifest.digest)
