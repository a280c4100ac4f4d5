"""What every command shares: the program, the options common to all, how figures are told."""

from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Group, Parameter

from pipelines import console
from pipelines.journals import JOURNAL
from pipelines.settings import Var

app = App(
    name="microloan",
    help="Credit scoring of small businesses from government data, each fact as it was known.",
    help_format="plaintext",
    version=version("microloan"),
)

PATH, DATA, LEARN, DECIDE, WATCH = (
    Group.create_ordered(name)
    for name in ("All of it", "Data", "Learn and publish", "Decide", "Audit and watch")
)
Where = Annotated[
    str | None,
    Parameter(
        env_var=JOURNAL,
        help="Journal: a file, or the postgresql:// URL of a server; default: var's own.",
    ),
]


@Parameter(name="*")
@dataclass(frozen=True)
class Common:
    """What every command takes."""

    var: Annotated[Path, Parameter(help="Folder that holds everything a run makes.")] = Path("var")
    json: Annotated[
        bool, Parameter(negative="", help="Print the figures as one JSON object on stdout.")
    ] = False

    @property
    def paths(self) -> Var:
        """The folders below ``var``."""
        return Var(self.var)

    def tell(self, title: str, figures: Any) -> None:
        """Show the figures to people, and as JSON if asked."""
        known = figures if isinstance(figures, dict) else asdict(figures)
        flat = {name: value for name, value in known.items() if not isinstance(value, dict | list)}
        console.table(title, flat)
        console.emit(known, as_json=self.json)


DEFAULT = Common()
