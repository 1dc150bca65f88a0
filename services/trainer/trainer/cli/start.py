"""The command `marquee` from its first moment, before its modules are loaded."""

import io
import signal
import sys


def main() -> None:
    """Load and run the command.

    While it loads, which takes a second, Ctrl-C ends it without a word: nothing is written yet.
    """
    is_heard = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if is_heard:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from trainer.cli.main import main as run

    _escape_what_cannot_be_shown()
    if is_heard:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    run()


def _escape_what_cannot_be_shown() -> None:
    """Write letters that the terminal's encoding lacks by their numbers, as to stderr."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")
