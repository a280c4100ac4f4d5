"""Commands of the auditor: is the journal whole, what does it hold, does it come out again."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from features.errors import MicroloanError
from pipelines import console
from pipelines.cli.root import DEFAULT, Common, app

if TYPE_CHECKING:
    from serving.journal.checkpoints import Key
    from serving.journal.entries import Stored

journal = App(name="journal", help="Verify and read the journal of decisions.")
app.command(journal)
SHOWN = 20  # decisions that came out otherwise


@journal.command(
    help_epilogue="Example: microloan journal verify --checkpoint kept/2026-10.checkpoint"
)
def verify(
    file: Annotated[Path | None, Parameter(help="Journal; default: the service's own.")] = None,
    /,
    *,
    checkpoint: tuple[Path, ...] = (),
    key: str | None = None,
    common: Common = DEFAULT,
) -> None:
    """Walk the whole journal and name the first entry that is not what was recorded.

    Held against checkpoints that were kept elsewhere, a tail that was cut off and a journal that
    was hashed anew are found too.

    Parameters
    ----------
    checkpoint
        Signed checkpoint; may be repeated. Default: the one beside the journal, if any.
    key
        Public key of the journal as kept elsewhere; default: that of the key file beside it.
    """
    from serving.journal.checkpoints import verify_against

    path = _existing(file, common)
    own = path.with_name(path.name + ".checkpoint")
    notes = checkpoint or ((own,) if own.exists() else ())
    whole = verify_against(path, [_read(note) for note in notes], _key(path, key))
    told = {"entries": whole.size, "root": whole.root.hex(), "checkpoints": len(notes)}
    common.tell(f"{path} is whole", told)


@journal.command(help_epilogue="Example: microloan journal checkpoint kept/2026-10.checkpoint")
def checkpoint(
    out: Annotated[Path, Parameter(help="File to write, to be kept on another machine.")],
    /,
    *,
    file: Path | None = None,
    common: Common = DEFAULT,
) -> None:
    """Verify the whole journal and sign a checkpoint of it; the service may be running.

    Parameters
    ----------
    file
        Journal; default: the service's own.
    """
    from serving.journal.checkpoints import Key, sign, write
    from serving.journal.reading import verify
    from serving.journal.seals import Secret

    path = _existing(file, common)
    whole, _ = verify(path)
    signer = Secret.of(path).signer
    write(out, sign(whole, signer))
    told = {"entries": whole.size, "key": str(Key.of(whole.identity, signer))}
    common.tell(f"Checkpoint in {out}", told)


@journal.command(
    help_epilogue="Example: microloan journal show dec_1f0c2a9be4d35c7a8e6f0b12 --json"
)
def show(
    decision: Annotated[str, Parameter(help="Id of the decision.")],
    /,
    *,
    file: Path | None = None,
    common: Common = DEFAULT,
) -> None:
    """Show one decision as it was recorded, with all it rested on.

    Parameters
    ----------
    file
        Journal; default: the service's own.
    """
    stored = _entry(_existing(file, common), decision)
    if stored.is_erased:
        raise MicroloanError(f"The content of {decision} was erased; entry {stored.sequence}.")
    record = json.loads(stored.record)
    console.table(f"Entry {stored.sequence}", _plain(record["decision"]))
    console.table("What was asked", _plain(record["application"]))
    console.table("What it was made with", _plain(record))
    console.table("Features", _plain(record["row"]))
    place = {"sequence": stored.sequence, "leaf": stored.leaf.hex()}
    console.emit({**place, "record": record}, as_json=common.json)


@app.command(help_epilogue="Example: microloan replay --all")
def replay(
    decision: Annotated[str | None, Parameter(help="Id of the decision.")] = None,
    /,
    *,
    all: Annotated[bool, Parameter(negative="")] = False,  # noqa: A002  # --all is what is typed
    file: Path | None = None,
    common: Common = DEFAULT,
) -> None:
    """Recompute recorded decisions with the model and policy that made them, byte for byte.

    Parameters
    ----------
    all
        Every decision of the journal.
    file
        Journal; default: the service's own.
    """
    from serving.bundles.release import read_gate_keys
    from serving.desk.audit import recompute
    from serving.journal.entries import DECISIONS
    from serving.journal.reading import entries

    if all == (decision is not None):
        raise MicroloanError("Name one decision, or say --all.")
    path = _existing(file, common)
    chosen = entries(path, DECISIONS) if decision is None else [_entry(path, decision)]
    made = tuple(recompute(chosen, common.paths.bundles, read_gate_keys(common.paths.gate_keys)))
    differing = [each for each in made if each.differs]
    erased = sum(each.is_erased for each in made)
    same = len(made) - len(differing) - erased
    told = {"decisions": len(made), "same": same, "erased": erased}
    common.tell("Recomputed", {**told, "differing": [each._asdict() for each in differing]})
    if differing:
        raise MicroloanError(
            f"{len(differing)} of {len(made)} decisions did not come out as recorded:\n"
            + "\n".join(str(each) for each in differing[:SHOWN])
        )


def _entry(path: Path, decision_id: str) -> "Stored":
    from serving.journal.reading import entry

    stored = entry(path, decision_id)
    if stored is None or stored.kind != "decision":
        raise MicroloanError(f"There is no decision {decision_id!r} in this journal.")
    return stored


def _key(path: Path, given: str | None) -> "Key":
    from serving.journal.checkpoints import Key
    from serving.journal.entries import identity_of
    from serving.journal.reading import reading
    from serving.journal.seals import Secret

    if given is not None:
        return Key.parse(given)
    with reading(path) as connection:
        return Key.of(identity_of(connection), Secret.of(path).signer)


def _read(note: Path) -> str:
    try:
        return note.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise MicroloanError(f"There is no checkpoint {note}.") from None


def _existing(file: Path | None, common: Common) -> Path:
    path = file or common.paths.journal / "journal.db"
    if not path.is_file():
        raise MicroloanError(
            f"There is no journal {path}. Hint: `microloan serve` makes one at its first decision."
        )
    return path


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """What a table can show: single values."""
    return {name: value for name, value in values.items() if not isinstance(value, dict | list)}
