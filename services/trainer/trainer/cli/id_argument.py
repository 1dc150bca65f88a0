"""The argument that names a movie or user: a whole number or a string."""

from typing import Any

import typer
from typer.core import TyperCommand

from marquee.domain.ids import parse_id_text


class Id(int):
    """The name by which the help calls the type of an id: a number inside, and no `int` outside."""


def id_argument(text: str) -> Any:
    """Return the argument for an id.

    Args:
        text: Its help.
    """
    return typer.Argument(parser=_parse, metavar="ID", help=f"{text} A whole number or a string.")


class IdCommand(TyperCommand):
    """A command whose argument is an id, which may begin with a hyphen as options do."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Return what is left of the arguments; one like -0 is told how to be given."""
        options = {option[:2] for param in self.get_params(ctx) for option in param.opts}
        before = args[: args.index("--")] if "--" in args else args
        for text in before:
            if text.startswith("-") and len(text) > 1 and text[:2] not in options:
                raise typer.BadParameter(
                    f"{text} is no option; an id that begins with - stands behind --, as"
                    f" {ctx.command_path} -- {text}"
                )
        return super().parse_args(ctx, args)


def _parse(text: str) -> int:
    try:
        return parse_id_text(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} {error}") from None
