"""Commands of whoever lets people in: make, revoke and list API keys."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from cyclopts import App, Parameter

from pipelines import console
from pipelines.cli.root import DECIDE, DEFAULT, Common, app

keys = App(group=DECIDE, name="keys", help="Make, revoke and list the keys of the service.")
app.command(keys)


@keys.command(
    help_epilogue="Example: microloan keys create wang --scope officer --branch huzhou --days 90"
)
def create(
    name: Annotated[str, Parameter(help="Person or system that holds the key.")],
    /,
    *,
    scope: tuple[str, ...] = ("officer",),
    branch: str = "",
    organisation: str = "bank",
    days: int = 90,
    per_second: float = 0.0,
    common: Common = DEFAULT,
) -> None:
    """Make a key; its secret is shown this once, and only its keyed hash is kept.

    To replace a key, make the next one under the same name, change over, revoke the old one.

    Parameters
    ----------
    scope
        What it may do: officer, supervisor, auditor, data_scientist or operator; may be repeated.
    branch
        Branch whose decisions it makes and sees; without it, those of the whole organisation.
    organisation
        Bank it belongs to; decisions of others do not exist for it.
    days
        Days it lives, 365 at most.
    per_second
        Requests a second it may send in the long run; 0: as many as the service lets any key.
    """
    from serving.web.keys import create_key

    common.paths.root.mkdir(parents=True, exist_ok=True)
    now, lifetime = datetime.now(UTC), timedelta(days=days)
    secret = create_key(
        common.paths.keys,
        name,
        scope,
        now=now,
        organisation=organisation,
        branch=branch,
        per_second=per_second,
        lifetime=lifetime,
    )
    told = {"key": secret, "name": name, "expires_at": f"{now + lifetime:%Y-%m-%d %H:%M} UTC"}
    common.tell("Key, shown this once", told)


@keys.command(help_epilogue="Example: microloan keys revoke a1b2c3d4")
def revoke(
    key: Annotated[str, Parameter(help="Id of the key: the eight characters after mlk_.")],
    /,
    *,
    common: Common = DEFAULT,
) -> None:
    """Revoke a key; a running service refuses it from the next request on."""
    from serving.web.keys import revoke_key

    revoke_key(common.paths.keys, key)
    common.tell("Revoked", {"id": key})


@keys.command(name="list", help_epilogue="Example: microloan keys list")
def list_(*, common: Common = DEFAULT) -> None:
    """List the keys there are, without their secrets."""
    from serving.web.keys import list_keys

    now = datetime.now(UTC)
    rows = [
        {
            "id": key.id,
            "name": key.name,
            "organisation": key.organisation,
            "branch": key.branch or "all",
            "scopes": ", ".join(key.scopes),
            "expires_at": f"{key.expires_at:%Y-%m-%d}",
            "is_live": key.expires_at > now,
        }
        for key in list_keys(common.paths.keys)
    ]
    console.table("Keys", rows)
    console.emit({"keys": rows}, as_json=common.json)
