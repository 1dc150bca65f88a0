"""Search for secrets in the files of the repository and in its history, by detect-secrets."""

import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Collection, Iterator
from fnmatch import fnmatch
from pathlib import Path

from detect_secrets import SecretsCollection
from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.core.potential_secret import PotentialSecret
from detect_secrets.settings import transient_settings

from locks import AuditError
from policy import Policy

_OWN = "MarqueeKeyDetector"
_DETECTOR = Path(__file__).with_name("key_detector.py")
_QUICK = frozenset(
    {
        "AWSKeyDetector",
        "Base64HighEntropyString",
        "BasicAuthDetector",
        "GitHubTokenDetector",
        "HexHighEntropyString",
        "JwtTokenDetector",
        "KeywordDetector",
        "PrivateKeyDetector",
    }
)
"""Detectors of secrets of any origin, and of the forges: each takes its time at every line."""


def secrets_in_files(root: Path, policy: Policy) -> list[str]:
    """Return what looks like a secret in the files that git tracks, a line each.

    The detectors are the quick ones: all of them look through the history, which has these lines.
    """
    names = [name for name in _git(root, "ls-files", "-z").split("\0") if (root / name).is_file()]
    return [
        f"{name}:{secret.line_number}: {_told(secret)}"
        for name, secret in _scan(root, names, policy, _QUICK)
        if secret.secret_hash not in policy.exempt_values
    ]


def secrets_in_history(root: Path, policy: Policy) -> list[str]:
    """Return what looks like a secret in any line that a commit of any branch ever added.

    An exception that the policy names and nothing needs is a fault too: only the history shows all.
    """
    with tempfile.TemporaryDirectory() as folder:
        lines: dict[str, dict[str, None]] = defaultdict(dict)
        for name, line in _added_lines(root):
            lines[name][line] = None
        for name, added in lines.items():
            path = Path(folder, name)
            if not _unscanned(name, policy) and not path.is_dir():
                _make(path, added)
        names = [str(p.relative_to(folder)) for p in Path(folder).rglob("*") if p.is_file()]
        found = list(_scan(Path(folder), names, policy))
    seen = {secret.secret_hash for _, secret in found}
    unused = [sha1 for sha1 in policy.exempt_values if sha1 not in seen]
    return [
        f"history of {name}: {_told(secret)}"
        for name, secret in found
        if secret.secret_hash not in policy.exempt_values
    ] + [f"policy.toml: no line has the value of the exception {sha1}" for sha1 in unused]


def _told(secret: PotentialSecret) -> str:
    """Return the kind of a secret and a hash to name it by in the policy, never its value."""
    return f"{secret.type} (sha1 {secret.secret_hash})"


def _make(path: Path, lines: dict[str, None]) -> None:
    """Write the lines; a file that was a folder at another time is left to its other name."""
    for parent in path.parents:
        if parent.is_file():
            parent.rename(parent.with_name(parent.name + ".file"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines))


def _scan(
    root: Path, names: list[str], policy: Policy, detectors: Collection[str] | None = None
) -> list[tuple[str, PotentialSecret]]:
    """Return file and secret of each finding of some detectors, or of all."""
    names = [name for name in names if not _unscanned(name, policy)]
    with transient_settings({"plugins_used": _plugins(detectors)}):
        found = SecretsCollection(root=str(root))
        found.scan_files(*names)
    counted = [(name, one) for name, one in found if not _is_exempt_kind(name, one, policy)]
    return sorted(counted, key=lambda item: (item[0], item[1].line_number, item[1].type))


def _is_exempt_kind(name: str, secret: PotentialSecret, policy: Policy) -> bool:
    return any(
        fnmatch(name, exempt.of) and secret.type in exempt.kinds
        for exempt in policy.exempt_kinds.values()
    )


def _plugins(detectors: Collection[str] | None) -> list[dict[str, str]]:
    get_mapping_from_secret_type_to_class.cache_clear()
    theirs = {cls.__name__ for cls in get_mapping_from_secret_type_to_class().values()} - {_OWN}
    # The library looks for detectors in files once, and caches what it found before there were any.
    get_mapping_from_secret_type_to_class.cache_clear()
    own = {"name": _OWN, "path": f"file://{_DETECTOR}"}
    return [{"name": name} for name in sorted(theirs if detectors is None else detectors)] + [own]


def _unscanned(name: str, policy: Policy) -> bool:
    return any(fnmatch(name, pattern) for pattern in policy.unscanned)


def _added_lines(root: Path) -> Iterator[tuple[str, str]]:
    """Yield file and text of every line that was added; merges count by what they changed."""
    log = ["log", "--all", "-p", "-U0", "--diff-merges=first-parent", "--no-renames"]
    log += [
        "--no-ext-diff",
        "--no-textconv",
        "--no-color",
        "--format=",
        "--src-prefix=a/",
        "--dst-prefix=b/",
    ]
    name, in_hunk = "", False
    for line in _git(root, "-c", "core.quotePath=false", *log).split("\n"):
        if line.startswith("diff --git "):
            in_hunk = False
        elif not in_hunk and line.startswith("+++ "):
            name = line[6:].rstrip("\t")
        elif line.startswith("@@ "):
            in_hunk = True
        elif in_hunk and line.startswith("+"):
            yield name, line[1:]


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, check=True)
    except subprocess.CalledProcessError as error:
        raise AuditError(f"git {arguments[0]}: {error.stderr.decode(errors='replace')}") from None
    return done.stdout.decode(errors="replace")
