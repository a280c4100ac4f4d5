"""How the command line speaks: tables and progress for people on stderr, JSON on stdout."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.syntax import Syntax
from rich.table import Table

# a log file has no width of its own; eighty columns would break every table
people = Console(stderr=True, width=None if sys.stderr.isatty() else 120)


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show how far ``what`` is; yields ``report(done, total)``."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=people) as bar:
        task = bar.add_task(what, total=None)

        def report(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield report


def table(title: str, rows: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> None:
    """Print figures as a table: a mapping as name and value, a list with a column per key."""
    shown = Table(title=title, title_justify="left")
    if isinstance(rows, Mapping):
        shown.add_column("figure")
        shown.add_column("value", justify="right")
        for name, value in rows.items():
            shown.add_row(name, figure(value))
    elif rows:
        for name in rows[0]:
            shown.add_column(name, justify="left" if isinstance(rows[0][name], str) else "right")
        for row in rows:
            shown.add_row(*(figure(value) for value in row.values()))
    people.print(shown)


def bar(share: float, most: float, width: int = 30) -> str:
    """A bar of text, ``width`` signs long for the largest share."""
    return "█" * round(width * share / most) if most > 0 else ""


def code(text: str) -> None:
    """Print Python as it is written."""
    people.print(Syntax(text, "python", background_color="default"))


def figure(value: object) -> str:
    """A value as people read it: thousands separated, four digits after the point."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4f}"
    return str(value)


def emit(figures: Mapping[str, Any], *, as_json: bool) -> None:
    """Print the figures as one JSON object on stdout, if asked."""
    if as_json:
        json.dump(figures, sys.stdout, ensure_ascii=False, default=str)
        sys.stdout.write("\n")
