"""Commands of the auditor: is the journal whole, what does it hold, does it come out again."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from features.errors import MicroloanError
from pipelines import console
from pipelines.cli.root import DEFAULT, WATCH, Common, Where, app
from pipelines.journals import existing_journal

if TYPE_CHECKING:
    from serving.journal.checkpoints import Key
    from serving.journal.database import At
    from serving.journal.entries import Stored

journal = App(group=WATCH, name="journal", help="Verify and read the journal of decisions.")
app.command(journal)
SHOWN = 20  # decisions that came out otherwise


@journal.command(
    help_epilogue="Example: microloan journal verify --checkpoint kept/2026-10.checkpoint"
)
def verify(
    journal: Where = None,
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
        Public key of the journal as kept elsewhere (microloan/4f1c…+9a8b7c6d+AX…=), which
        `journal checkpoint` and every receipt tell; default: that of the key file beside it.
    """
    from serving.journal.checkpoints import beside, verify_against
    from serving.journal.database import database_at

    at = existing_journal(common.paths, journal)
    own = beside(database_at(at).files)
    notes = checkpoint or ((own,) if own.exists() else ())
    whole = verify_against(at, [_read(note) for note in notes], _key(at, key))
    told = {"entries": whole.size, "root": whole.root.hex(), "checkpoints": len(notes)}
    common.tell(f"{database_at(at)} is whole", told)


@journal.command(help_epilogue="Example: microloan journal checkpoint kept/2026-10.checkpoint")
def checkpoint(
    out: Annotated[Path, Parameter(help="File to write, to be kept on another machine.")],
    /,
    *,
    journal: Where = None,
    common: Common = DEFAULT,
) -> None:
    """Verify the whole journal and sign a checkpoint of it; the service may be running."""
    from serving.journal.checkpoints import Key, sign, write
    from serving.journal.database import database_at
    from serving.journal.reading import verify
    from serving.journal.seals import Secret

    at = existing_journal(common.paths, journal)
    whole, _ = verify(at)
    signer = Secret.of(database_at(at).files).signer
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
    journal: Where = None,
    common: Common = DEFAULT,
) -> None:
    """Show one decision as it was recorded, with all it rested on."""
    stored = _entry(existing_journal(common.paths, journal), decision)
    if stored.is_erased:
        raise MicroloanError(f"The content of {decision} was erased; entry {stored.sequence}.")
    record = json.loads(stored.record)
    console.table(f"Entry {stored.sequence}", _plain(record["decision"]))
    console.table("What was asked", _plain(record["application"]))
    console.table("What it was made with", _plain(record))
    console.table("Features", _plain(record["row"]))
    place = {"sequence": stored.sequence, "leaf": stored.leaf.hex()}
    console.emit({**place, "record": record}, as_json=common.json)


@app.command(group=WATCH, help_epilogue="Example: microloan replay --all")
def replay(
    decision: Annotated[str | None, Parameter(help="Id of the decision.")] = None,
    /,
    *,
    all: Annotated[bool, Parameter(negative="")] = False,  # noqa: A002  # --all is what is typed
    journal: Where = None,
    common: Common = DEFAULT,
) -> None:
    """Recompute recorded decisions with the model and policy that made them, byte for byte.

    Parameters
    ----------
    all
        Every decision of the journal.
    """
    from serving.bundles.release import read_gate_keys
    from serving.desk.audit import recompute
    from serving.journal.entries import DECISIONS
    from serving.journal.reading import entries

    if all == (decision is not None):
        raise MicroloanError("Name one decision, or say --all.")
    at = existing_journal(common.paths, journal)
    chosen = entries(at, DECISIONS) if decision is None else [_entry(at, decision)]
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


def _entry(at: "At", decision_id: str) -> "Stored":
    from serving.journal.reading import entry

    stored = entry(at, decision_id)
    if stored is None or stored.kind != "decision":
        raise MicroloanError(f"There is no decision {decision_id!r} in this journal.")
    return stored


def _key(at: "At", given: str | None) -> "Key":
    from serving.journal.checkpoints import Key
    from serving.journal.database import database_at
    from serving.journal.entries import identity_of
    from serving.journal.reading import reading
    from serving.journal.seals import Secret

    if given is not None:
        return Key.parse(given)
    with reading(at) as reader:
        return Key.of(identity_of(reader), Secret.of(database_at(at).files).signer)


def _read(note: Path) -> str:
    try:
        return note.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise MicroloanError(f"There is no checkpoint {note}.") from None


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """What a table can show: single values."""
    return {name: value for name, value in values.items() if not isinstance(value, dict | list)}
