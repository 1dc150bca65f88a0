"""Files that are not read: an error where the user named them, else told in a few words."""

from collections.abc import Mapping, Sequence

from marquee.errors import DataError
from trainer.datasets.files.sources import Sources, plain_name
from trainer.datasets.import_report import ImportReport


def check_named_are_read(files: Sources, report: ImportReport) -> None:
    """Check that of each path that the user named something is read.

    Raises:
        DataError: Of one nothing is.
    """
    reasons = dict(line.split(": ", 1) for line in report.unread)
    for tally in report.files:
        reasons.pop(tally.file, None)
    for path, names in files.by_path.items():
        reason = _reason(names, files, reasons)
        if reason:
            raise DataError(
                f"{path} is not read: {reason}; leave it out, or read it on its own", "path"
            )


def _reason(names: Sequence[str], files: Sources, reasons: Mapping[str, str]) -> str | None:
    """Return why nothing of a path, which has some files, is read; None: something is."""
    if files.opened.intersection(names):
        return reasons.get(plain_name(names[0])) if len(names) == 1 else None
    if len(names) != 1:
        return "it has no table beside the others"
    others = [plain_name(name) for name in files if name != names[0]]
    is_second = plain_name(names[0]) in others
    return "another file has its name" if is_second else "its name is that of no table"
