"""Documents name files and things that exist: no path, name or link in them is stale."""

import ast
import fnmatch
import itertools
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
TRACKED = subprocess.check_output(
    ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, text=True
).split("\n")
DOCUMENTS = [name for name in TRACKED if name.endswith(".md")]
MENTION = re.compile(r"`([\w./{},*-]+\.(?:py|sh|md|yml|yaml|toml|json|txt|js|in))(?:: ([\w.]+))?`")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[\w-]*)?\)")
MADE = {
    "params.yaml",
    "kafka-console-producer.sh",
    "kafka-configs.sh",
    "rating.added.v2.json",
    "marquee.env",
    "demo.json",
    "export.json",
    "combined_data_1.txt",
    "segments.json",
    "topics.json",
    "manifest.json",
    "marquee-list.js",
}
"""Files of the running system or of other programs, not of the repository."""


def spelled(path: str) -> list[str]:
    """Return the paths that `a/{b,c}.py` stands for."""
    parts = [part.split(",") for part in re.split(r"[{}]", path)]
    return ["".join(choice) for choice in itertools.product(*parts)]


def files(path: str) -> list[str]:
    """Return the files that a document may mean by a path: leading folders may be left out."""
    return [name for name in TRACKED if fnmatch.fnmatch(f"/{name}", f"*/{path}")]


@cache
def names(file: str) -> frozenset[str]:
    """Return the functions, classes, methods and assigned names of a module."""
    tree = ast.parse((ROOT / file).read_text())
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Store):
            found.add(node.id if isinstance(node, ast.Name) else node.attr)
    return frozenset(found)


def mentions() -> list[tuple[str, str, str]]:
    """Return (document, path, name or "") of every file that a document mentions."""
    return [
        (document, path, match[2] or "")
        for document in DOCUMENTS
        for match in MENTION.finditer((ROOT / document).read_text())
        for path in spelled(match[1])
    ]


def test_there_are_mentions_to_look_at() -> None:
    assert len(mentions()) > 100


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_file_and_name_that_a_document_mentions_exists(document: str) -> None:
    stale = []
    for where, path, name in mentions():
        beside = (ROOT / document).parent / path
        is_made = Path(path).name in MADE or path.startswith("reports/")
        if where != document or is_made or (beside.exists() and not name):
            continue
        found = files(path)
        parts = name.split(".") if name else []
        if not found or not any(set(parts) <= names(file) for file in found if parts) and parts:
            stale.append(f"{path}: {name}" if name else path)
    assert stale == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_within_the_repository_leads_somewhere(document: str) -> None:
    generated = {"api.md", "settings.md", "command-line.md", "events.md"}
    folder = (ROOT / document).parent
    dead = [
        target
        for target in LINK.findall((ROOT / document).read_text())
        if "://" not in target
        and not (folder / target).exists()
        and not (Path(target).name in generated and Path(target).parent.name in ("reference", ""))
    ]
    assert dead == []


@pytest.mark.parametrize(
    "page",
    [ROOT / "README.md", *sorted((ROOT / "docs" / "how-to").glob("*.md"))],
    ids=lambda path: path.name,
)
def test_a_page_that_calls_the_command_says_how_it_is_reached(page: Path) -> None:
    text = page.read_text()
    if re.search(r"^marquee |`marquee ", text, re.MULTILINE):
        assert ".venv/bin/marquee" in text, page.name
