"""What processes need of the state folder: that it is a folder, writable, with room."""

import errno
import shutil
import tempfile
from pathlib import Path

from marquee.requirements.result import CheckResult

LEAST_FREE_GIB = 2.0
"""Room that a training and its bundles need, in GiB."""
REMEDY = "set MARQUEE_STATE (--state, or STATE= of make demo) to a folder that can be written"


def state_results(state: Path) -> list[CheckResult]:
    """Return whether the state folder can be used, and whether it has room; nothing is left there.

    Args:
        state: The folder, which need not exist yet.
    """
    there = _existing(state)
    if not there.is_dir():
        text = f"{there} is a file, not a folder"
        return [CheckResult("bad", "state folder", text, REMEDY, "refuse")]
    fault = _write_fault(there)
    if fault:
        text = f"{there} cannot be written: {fault}"
        return [CheckResult("bad", "state folder", text, REMEDY)]
    return [CheckResult("good", "state folder", str(state)), _room(there)]


_PLACE = {
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room",
    errno.EROFS: "it is mounted read-only",
    errno.EACCES: "allow this user to read and write there",
    errno.EPERM: "allow this user to read and write there",
    errno.ENOTDIR: "a part of the path is a file",
}


def place_fault(error: OSError) -> str | None:
    """Return the line for a file that cannot be written where it should be, None for other errors.

    The fault lies with the place, not with the code: a disk is full, or a folder is not writable.
    """
    remedy = _PLACE.get(error.errno or 0)
    if remedy is None:
        return None
    place = f"{error.filename}: " if error.filename else ""
    return f"{place}{error.strerror}; {remedy}, or {REMEDY}"


def _existing(state: Path) -> Path:
    """Return the folder, or the nearest part of its path that exists."""
    return next(path for path in (state.absolute(), *state.absolute().parents) if path.exists())


def _write_fault(folder: Path) -> str | None:
    # Rights alone do not tell: a file system may be mounted read-only.
    try:
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return error.strerror or str(error)


def _room(folder: Path) -> CheckResult:
    free = shutil.disk_usage(folder).free / 2**30
    text = f"{free:.1f} GiB free"
    if free >= LEAST_FREE_GIB:
        return CheckResult("good", "disk", text)
    remedy = f"free {LEAST_FREE_GIB:.0f} GiB, or {REMEDY}"
    return CheckResult("bad", "disk", text, remedy, "warn")
