"""Boosters grown by the workers of a Dask cluster, each holding its share of the rows."""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import MicroloanError
from models.scoring.columns import Codes

Vector = NDArray[np.float64]

ROWS_SENT = 50_000  # copied and sent at a time


class NoCluster(MicroloanError):
    """A cluster that cannot be used: no package to reach it, no answer, or no worker."""


def grow_on_cluster(
    address: str,
    settings: Sequence[Mapping[str, Any]],
    rounds: int,
    encoded: Codes,
    target: Vector,
    weight: Vector,
    names: Sequence[str],
) -> list[Any]:
    """A booster for each of ``settings`` by `lightgbm.dask`, on the scheduler at ``address``.

    Workers add up their histograms (LightGBM's data-parallel learner). They find bins in their own
    rows, and keep monotone directions by LightGBM's basic method, the only one it has across
    machines: the trees differ from those of one machine, and from cluster to cluster.

    Raises:
        NoCluster: Dask is not installed, or no worker answers at the address.
    """
    with connect(address) as client:
        rows = _spread(client, encoded, target, weight)
        return [_grown(client, one, rounds, rows, names) for one in settings]


def connect(address: str) -> Any:
    """A client of the Dask scheduler at ``address``; closes as a context.

    Raises:
        NoCluster: Dask is not installed, or no scheduler with a worker answers.
    """
    try:
        from distributed import Client
    except ImportError:
        raise NoCluster(
            "Dask is not installed. Hint: `make cluster` installs it in this checkout, "
            "`pip install 'microloan[dask]'` elsewhere."
        ) from None
    try:
        client = Client(address)
    except (OSError, ValueError) as error:
        raise NoCluster(
            f"No Dask scheduler answers at {address} ({error}). Hint: an address looks like "
            "tcp://scheduler:8786."
        ) from None
    if not client.ncores():
        client.close()
        raise NoCluster(f"The cluster at {address} has no worker. Hint: `dask worker {address}`.")
    return client


def _spread(client: Any, encoded: Codes, target: Vector, weight: Vector) -> tuple[Any, Any, Any]:
    """Rows, target and weight as Dask arrays, a run of rows after another on each worker."""
    workers = sorted(client.ncores())
    pieces = max(len(workers), -(-len(encoded) // ROWS_SENT))
    cuts = np.linspace(0, len(encoded), pieces + 1).astype(int)
    everything: tuple[Any, ...] = (encoded, target, weight)
    sent: tuple[list[Any], ...] = ([], [], [])
    for piece, (start, end) in enumerate(pairwise(cuts)):
        rows = slice(start, end)
        worker = workers[piece * len(workers) // pieces]
        for values, kept in zip(everything, sent, strict=True):
            kept.append(_on_worker(client, values[rows], worker))
    return _concatenated(sent[0]), _concatenated(sent[1]), _concatenated(sent[2])


def _on_worker(client: Any, values: NDArray[np.float64], worker: str) -> Any:
    from dask.array import from_delayed
    from dask.delayed import delayed

    [there] = client.scatter([values], workers=[worker], hash=False)
    return from_delayed(delayed(there), values.shape, values.dtype)


def _concatenated(pieces: Sequence[Any]) -> Any:
    from dask.array import concatenate

    return concatenate(pieces, axis=0)


def _grown(
    client: Any,
    settings: Mapping[str, Any],
    rounds: int,
    rows: tuple[Any, Any, Any],
    names: Sequence[str],
) -> Any:
    import lightgbm

    X, target, weight = rows
    # a regressor takes its objective from the settings and does not look into the target
    # each worker uses its own number of threads
    parameters = {name: value for name, value in settings.items() if name != "num_threads"}
    grown = lightgbm.DaskLGBMRegressor(client=client, n_estimators=rounds, **parameters)
    text = grown.fit(X, target, sample_weight=weight).booster_.model_to_string()
    named = f"feature_names={' '.join(names)}"
    text = re.sub(r"^feature_names=.*$", lambda _: named, text, flags=re.MULTILINE)
    return lightgbm.Booster(model_str=text)
