"""The command line: each command is a few lines over a function of its room.

People read stderr; `--json` prints one object with the figures on stdout. Exit codes: 0 done, 1 a
mistake of the user's told in one sentence, 2 wrong usage.
"""

import signal
import sys
from collections.abc import Sequence

from cyclopts import CycloptsError

from features.errors import MicroloanError
from pipelines import console
from pipelines.cli import (
    check,
    data,
    deciding,
    feature,
    journal,
    keys,
    learning,
    monitoring,
    policy,
    registered,
    scheduling,
)
from pipelines.cli.root import app

__all__ = [
    "app",
    "check",
    "data",
    "deciding",
    "feature",
    "journal",
    "keys",
    "learning",
    "main",
    "monitoring",
    "policy",
    "registered",
    "scheduling",
]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped
    try:
        app(arguments, exit_on_error=False)
    except CycloptsError:
        sys.exit(2)
    except MicroloanError as mistake:
        console.people.print(f"[red]microloan:[/red] {mistake}", highlight=False)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
