"""Every `marquee …` of the documents is a command that there is, with options that it has."""

import re
import shlex
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer
from typer.testing import CliRunner

from trainer.cli.main import app

ROOT = Path(__file__).resolve().parents[3]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCED = re.compile(r"^```\w*\n(.*?)^```", re.DOTALL | re.MULTILINE)
INDENTED = re.compile(r"(?:^(?: {4}|\t).*\n)+", re.MULTILINE)
COMMAND = re.compile(r"^\s*(?:\$ )?(?:[A-Z_]+=\S+ )*(?:\S*/)?(marquee [a-z-].*)$", re.MULTILINE)
INLINE = re.compile(r"`(?:\S*/)?(marquee [a-z-][^`]*)`")
SAFE = {("models", "list"): 0, ("doctor",): 2}
"""Commands that only read, and need no server, with the exit status where there is none."""
UsageError: Any = typer.BadParameter.__base__
MISTAKE = re.compile("No such option|Got unexpected extra argument")
ROOT_COMMAND: Any = typer.main.get_command(app)


class Mention(NamedTuple):
    """A command as a document has it; an example is complete, others leave out arguments."""

    document: str
    text: str
    is_example: bool


def words_of(text: str) -> list[str]:
    """Return the words after `marquee`, up to a comment, a pipe or a redirection."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, "#"
    words = list(lexer)
    end = next((at for at, word in enumerate(words) if set(word) <= set("|<>&;()")), len(words))
    return words[1:end]


def mentions(document: Path) -> list[Mention]:
    text = document.read_text()
    name = str(document.relative_to(ROOT))
    blocks = [block.replace("\\\n", " ") for block in FENCED.findall(text)]
    prose = FENCED.sub("", text)
    blocks += INDENTED.findall(prose)
    examples = [found for block in blocks for found in COMMAND.findall(block)]
    inline = [found.replace("\n", " ") for found in INLINE.findall(INDENTED.sub("", prose))]
    return [
        *(Mention(name, found.strip(), True) for found in examples),
        *(Mention(name, found, False) for found in inline),
    ]


MENTIONS = [mention for document in DOCUMENTS for mention in mentions(document)]


def fault(mention: Mention) -> str | None:
    """Return why a mention is no call of the command, None if it is one; nothing runs."""
    try:
        command, context, rest = resolved(words_of(mention.text))
    except UsageError as error:
        return str(error.message)
    except typer.Exit:  # --help
        return None
    try:
        command.make_context(command.name, rest, parent=context)
    except UsageError as error:
        # In a sentence ID stands for a number, and arguments may be left out.
        is_wrong = mention.is_example or MISTAKE.match(error.message)
        return str(error.message) if is_wrong else None
    return None


def resolved(words: list[str]) -> tuple[Any, Any, list[str]]:
    """Return the command that words name, the context of its group, and its own words."""
    command, context, rest = ROOT_COMMAND, None, words
    while hasattr(command, "resolve_command"):
        context = command.make_context(command.name, rest, parent=context)
        words = [*getattr(context, "_protected_args", []), *context.args]
        _, command, rest = command.resolve_command(context, words)
    return command, context, rest


def test_there_are_commands_to_look_at() -> None:
    assert sum(mention.is_example for mention in MENTIONS) >= 8
    assert len(MENTIONS) > 40


@pytest.mark.parametrize("mention", dict.fromkeys(MENTIONS), ids=lambda m: f"{m[0]}: {m[1][:50]}")
def test_a_command_of_a_document_is_one_that_there_is(mention: Mention) -> None:
    assert fault(mention) is None


@pytest.mark.parametrize(
    ("text", "is_example"),
    [
        ("marquee publishes FILE", False),
        ("marquee publish FILE --jsn", False),
        ("marquee dead lok ID", False),
        ("marquee train content hybrid", False),
        ("marquee inspect movie 0", True),
        ("marquee publish", True),
        ("marquee --stat x models list", True),
    ],
)
def test_a_command_that_there_is_not_would_be_seen(text: str, is_example: bool) -> None:
    assert fault(Mention("", text, is_example)) is not None


@pytest.mark.parametrize(
    "words", sorted({w for m in MENTIONS if (w := tuple(words_of(m.text))) in SAFE}), ids=" ".join
)
def test_a_command_that_only_reads_runs(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("MARQUEE_STATE", str(tmp_path))
    monkeypatch.setenv("MARQUEE_REDIS_URL", "redis://127.0.0.1:1/0")
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == SAFE[words], result.output
    assert result.stdout
