"""The result of checking one requirement."""

from dataclasses import dataclass
from typing import Literal

State = Literal["good", "note", "warning", "bad"]
AtStart = Literal["", "warn", "refuse"]


@dataclass(frozen=True)
class CheckResult:
    """The result of one check, and the remedy if it is not good.

    Attributes:
        state: good; note: it could not be looked at, or only matters at times; warning: a guarantee
            is weaker; bad: processes cannot work, or answers or facts become wrong.
        subject: what was looked at.
        text: what was found.
        remedy: what mends it.
        at_start: what a process does about it when it starts: nothing, warn in its log, or refuse.
    """

    state: State
    subject: str
    text: str
    remedy: str = ""
    at_start: AtStart = ""

    def as_json(self) -> dict[str, str]:
        """Return the result as a JSON object."""
        return {
            "state": self.state,
            "subject": self.subject,
            "text": self.text,
            "remedy": self.remedy,
        }

    @property
    def line(self) -> str:
        """The result in one line: subject, finding and remedy."""
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{self.subject}: {self.text}{remedy}"
