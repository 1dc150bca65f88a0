"""Writers of a report: JSON for programs, Markdown and HTML for readers."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from trainer.report.model import Report
from trainer.report.plots import plots
from trainer.report.tables.all_tables import heading, tables, tuned_settings_table
from trainer.report.tables.slices import slice_tables
from trainer.report.tables.text_table import TextTable
from trainer.report.verdict import verdict

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 90rem; padding: 0 1.5rem;
  color: #1c2230; background: #fff }
table { border-collapse: collapse; margin: 1rem 0 2rem; display: block; overflow-x: auto;
  font-size: .92rem }
figure { margin: 1rem 0 2rem }
svg { max-width: 100%; height: auto }
figcaption, caption { text-align: left; font-weight: 600; padding: .3rem 0; white-space: nowrap }
th, td { text-align: left; padding: .25rem .7rem; border-bottom: 1px solid #d5d9e2;
  font-variant-numeric: tabular-nums; white-space: nowrap }
"""


def write_report(report: Report, folder: Path) -> list[Path]:
    """Write `report.json`, `report.md` and `report.html` into a folder; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "report.json": report.model_dump_json(indent=1) + "\n",
        "report.md": markdown(report),
        "report.html": html(report),
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    return [folder / name for name in texts]


def markdown(report: Report) -> str:
    """Return the report in Markdown."""
    lines = ["# Quality", "", f"{heading(report)}. {verdict(report)}", ""]
    for table in (*tables(report), tuned_settings_table(report)):
        rule = ["---"] * len(table.columns)
        lines += [f"## {table.title}", "", _line(table.columns), _line(rule)]
        lines += [*map(_line, table.rows), ""]
    lines += [f"{note}\n" for note in report.notes]
    return "\n".join(lines).rstrip() + "\n"


def html(report: Report) -> str:
    """Return the report as one self-contained HTML page."""
    rendered = [_table(table) for table in (*tables(report), tuned_settings_table(report))]
    n_leading = sum(1 for _ in slice_tables(report))
    parts = [
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Quality</title>',
        f"<style>{_STYLE}</style><h1>Quality</h1>",
        f"<p>{escape(heading(report))}. <strong>{escape(verdict(report))}</strong></p>",
        *rendered[:n_leading],
        *(_figure(title, svg) for title, svg in plots(report).items()),
        *rendered[n_leading:],
        *(f"<p>{escape(note)}</p>" for note in report.notes),
    ]
    return "\n".join(parts) + "\n"


def _figure(title: str, svg: str) -> str:
    return f"<figure><figcaption>{escape(title)}</figcaption>{svg}</figure>"


def _table(table: TextTable) -> str:
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in table.columns)
    body = "".join(f"<tr>{_cells(row)}</tr>" for row in table.rows)
    return (
        f"<table><caption>{escape(table.title)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table>"
    )


def _cells(row: Sequence[str]) -> str:
    return "".join(f"<td>{escape(text)}</td>" for text in row)


def _line(texts: Sequence[str]) -> str:
    cells = (text.replace("|", "\\|") for text in texts)
    return f"| {' | '.join(cells)} |"
