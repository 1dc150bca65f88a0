"""The development broker fetches its jars again when pom.xml changes, and keeps those it has."""

from pathlib import Path
from types import ModuleType

import pytest

from marquee_local.servers import BROKER
from marquee_testing.scripts import load_script


@pytest.fixture(scope="module")
def broker() -> ModuleType:
    return load_script(BROKER)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """A folder of jars with an archive of their classes, and one that Maven has just filled."""
    lib, partial = tmp_path / "lib", tmp_path / "partial"
    lib.mkdir()
    partial.mkdir()
    (lib / "old.jar").write_text("in use")
    (lib / "classes.jsa").write_text("archive")
    (partial / "old.jar").write_text("the same, fetched again")
    (partial / "new.jar").write_text("new")
    return lib, partial


def test_jars_without_the_stamp_of_this_pom_are_not_the_ones_wanted(
    broker: ModuleType, folders: tuple[Path, Path]
) -> None:
    lib, partial = folders
    assert not broker.fetched(lib)
    broker.add(partial, lib)
    assert broker.fetched(lib)
    (lib / "pom.sha256").write_text("of another pom")
    assert not broker.fetched(lib)


def test_new_jars_join_those_in_use_and_the_archive_of_their_classes_goes(
    broker: ModuleType, folders: tuple[Path, Path]
) -> None:
    lib, partial = folders
    broker.add(partial, lib)
    assert (lib / "old.jar").read_text() == "in use"
    assert (lib / "new.jar").read_text() == "new"
    assert not (lib / "classes.jsa").exists()


def test_the_first_fetch_makes_the_folder(broker: ModuleType, folders: tuple[Path, Path]) -> None:
    lib, partial = folders
    broker.add(partial, lib.with_name("first"))
    assert broker.fetched(lib.with_name("first"))
