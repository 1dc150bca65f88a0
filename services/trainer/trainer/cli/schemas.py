"""`marquee schemas`: the contract with producers, written from the event classes."""

from pathlib import Path
from typing import Annotated

import typer

from marquee.counts import counted
from marquee.errors import InvalidInput
from trainer.cli.terminal import Session

MAKE = "run: marquee schemas --to docs"


def schemas(
    context: typer.Context,
    folder: Annotated[Path, typer.Option("--to", help="Folder to write into.")] = Path("docs"),
    check: Annotated[bool, typer.Option("--check", help="Compare, and write nothing.")] = False,
) -> None:
    """Write the AsyncAPI document and the JSON Schema of each event, or check that they are right.

    marquee schemas --check
    """
    from trainer.contracts.asyncapi import files

    texts, session = files(), context.obj
    assert isinstance(session, Session)
    stale = sorted(name for name, text in texts.items() if _read(folder / name) != text)
    present = {str(path.relative_to(folder)) for path in folder.glob("events/*.schema.json")}
    stale += sorted(present - set(texts))
    if check and stale:
        raise InvalidInput(f"{', '.join(stale)} in {folder}: not what the events are; {MAKE}")
    if not check:
        _write(folder, texts, present - set(texts))
    session.say(f"{counted(len(texts), 'file')} in {folder} are what the events are")


def _write(folder: Path, texts: dict[str, str], obsolete: set[str]) -> None:
    for name in obsolete:
        (folder / name).unlink()
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _read(path: Path) -> str | None:
    return path.read_text() if path.exists() else None
