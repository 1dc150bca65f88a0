"""`marquee dead`: list, show, retry and discard dead letters."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from marquee.errors import InvalidInput
from trainer.cli.terminal import Session, print_json, print_lines, print_table

if TYPE_CHECKING:
    from marquee.dead_letters.ledger import DeadLetter
    from marquee.dead_letters.queue import DeadLetterQueue

SHOWN = 4000
"""Most characters of a message that `look` shows."""

app = typer.Typer(no_args_is_help=True, help="Messages that were put aside: dead letters.")

Json = Annotated[bool, typer.Option("--json", help="Write JSON.")]
Ids = Annotated[list[str] | None, typer.Argument(help="Ids that `marquee dead list` shows.")]
Every = Annotated[bool, typer.Option("--all", help="All open letters.")]
Topic = Annotated[str | None, typer.Option(help="Of this topic alone: movies, ratings, models.")]
Actor = Annotated[str | None, typer.Option(help="Who decides it [the user of this machine].")]


@app.command("list")
def list_(
    context: typer.Context,
    topic: Topic = None,
    settled: Annotated[bool, typer.Option("--settled", help="Settled ones too.")] = False,
    as_json: Json = False,
) -> None:
    """Show the open letters, with the reason, who put them aside, where they stood, and when."""
    with _letters(context.obj) as dead:
        dead_letters = dead.all(topic)
    listed = [letter for letter in dead_letters if settled or letter.state == "open"]
    if as_json:
        print_json([_brief(letter) for letter in listed])
        return
    columns = ("id", "state", "groups", "time", "key", "reason")
    print_table(columns, [_row(letter) for letter in listed])
    session: Session = context.obj
    for line in _counts(dead_letters):
        session.say(line)


@app.command()
def look(
    context: typer.Context,
    letter_id: Annotated[str, typer.Argument(metavar="ID")],
    as_json: Json = False,
) -> None:
    """Show a message as it came, why it was put aside, and what helps."""
    from marquee.dead_letters.remedies import remedy_for

    with _letters(context.obj) as dead:
        [letter] = dead.find([letter_id])
    values = _brief(letter) | {
        "fix": remedy_for(letter),
        "headers": {n: v for n, v in letter.message.headers.items() if "marquee-" not in n},
        "length": letter.length,
        "message": letter.message.value.decode(errors="backslashreplace"),
    }
    if as_json:
        print_json(values)
    else:
        values["message"] = _cut(values["message"], SHOWN, " … (--json shows all)")
        print_lines(
            [f"{name:<9} {value}" for name, value in values.items() if value not in ("", {})]
        )


@app.command()
def retry(
    context: typer.Context,
    ids: Ids = None,
    every: Every = False,
    topic: Topic = None,
    actor: Actor = None,
) -> None:
    """Publish letters again, each only where nothing later has the same key.

    Exit status 2 when one was refused; its line says why, and what to do.
    """
    from marquee.bus.factory import open_bus
    from marquee.dead_letters.retry import DeadLetterRetrier

    session: Session = context.obj
    bus, refused = open_bus(session.settings), False
    with _letters(session) as dead:
        chosen = _chosen(dead, ids, every, topic)
        for result in DeadLetterRetrier(dead, bus.partitions, _who(actor)).retry(chosen):
            refused |= not result.published
            words = result.text if result.published else f"refused: {result.text}"
            print_lines([f"{result.dead_letter.id}: {words}"])
    bus.close()
    if refused:
        raise typer.Exit(2)


@app.command()
def discard(
    context: typer.Context,
    reason: Annotated[str, typer.Option(help="Why it is given up; kept beside the letter.")],
    ids: Ids = None,
    every: Every = False,
    topic: Topic = None,
    actor: Actor = None,
) -> None:
    """Give letters up; who did it, when and why is kept."""
    with _letters(context.obj) as dead:
        for letter in _chosen(dead, ids, every, topic):
            dead.discard(letter, _who(actor), reason)
            print_lines([f"{letter.id}: discarded"])


@contextmanager
def _letters(session: Session) -> Iterator["DeadLetterQueue"]:
    from marquee.dead_letters.queue import open_dead_letters

    dead_letters = open_dead_letters(session.settings)
    try:
        yield dead_letters
    finally:
        dead_letters.close()


def _chosen(
    dead: "DeadLetterQueue", ids: list[str] | None, every: bool, topic: str | None
) -> list["DeadLetter"]:
    if bool(ids) == every:
        raise InvalidInput("name the letters by their ids, or give --all (of --topic)")
    if ids:
        return dead.find(ids)
    return [letter for letter in dead.all(topic) if letter.state == "open"]


def _who(actor: str | None) -> str:
    return actor or getpass.getuser()


def _brief(letter: "DeadLetter") -> dict[str, Any]:
    return {
        "id": letter.id,
        "state": letter.state,
        "topic": letter.partition.topic,
        "position": f"{letter.partition}:{letter.offset}",
        "groups": ", ".join(letter.groups),
        "time": _moment(letter.time),
        "key": letter.message.key.decode(errors="backslashreplace"),
        "reason": letter.reason,
        "settled": _settled(letter),
    }


def _settled(letter: "DeadLetter") -> str:
    if letter.state == "open":
        return ""
    note = f": {letter.note}" if letter.note else ""
    return f"{letter.state} by {letter.actor} at {_moment(letter.resolved_at)}{note}"


def _row(letter: "DeadLetter") -> tuple[str, ...]:
    values = _brief(letter)
    state = values["settled"] or "open"
    columns = (values["groups"], values["time"], _cut(values["key"], 20), values["reason"])
    return values["id"], state, *columns


def _cut(text: str, length: int, end: str = "…") -> str:
    return text if len(text) <= length else text[:length] + end


def _moment(time: Any) -> str:
    return "" if time is None else time.strftime("%Y-%m-%d %H:%M:%S")


def _counts(dead_letters: list["DeadLetter"]) -> list[str]:
    counts: dict[str, int] = {}
    for letter in dead_letters:
        if letter.state == "open":
            counts[letter.partition.topic] = counts.get(letter.partition.topic, 0) + 1
    if not counts:
        return ["no open dead letters"]
    return [f"{topic}: {n} open; next: marquee dead look ID" for topic, n in counts.items()]
