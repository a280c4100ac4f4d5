"""The two files of a saved scorer: LightGBM's own text, and JSON for all that is not a tree."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import MicroloanError
from models.scoring.calibration import Calibration
from models.scoring.columns import Columns
from models.scoring.effects import Additive
from models.scoring.encoding import Encoding
from models.scoring.fitting import Fitted
from models.scoring.text_terms import Term

FORMAT = 1
WHERE = ("n_jobs", "cluster")  # parameters that say where to fit: no part of what was fitted


class BrokenScorer(MicroloanError):
    """Files that are not a whole saved scorer."""


def write_files(
    fitted: Fitted, parameters: Mapping[str, Any], classes: NDArray[Any]
) -> dict[str, bytes]:
    """`model.txt` and `scorer.json`; the same scorer always gives the same bytes."""
    model = fitted.model.encode()
    content = {
        "format": FORMAT,
        "model_sha256": hashlib.sha256(model).hexdigest(),
        "parameters": {name: parameters[name] for name in sorted(parameters) if name not in WHERE},
        "classes": classes.tolist(),
        "form": fitted.form,
        "rounds": fitted.rounds,
        "rows": fitted.rows,
        "bad_rate": fitted.bad_rate,
        "calibration": {
            "slope": fitted.calibration.slope,
            "intercept": fitted.calibration.intercept,
        },
        "columns": _write_columns(fitted.encoding),
        "terms": [
            {"of": term.of, "cells": term.cells.tolist(), "values": _known(term.values)}
            for term in fitted.encoding.terms
        ],
        "additive": [
            {"mean": part.mean, "effects": [effect.tolist() for effect in part.effects]}
            for part in fitted.additive
        ],
    }
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1)
    return {"model.txt": model, "scorer.json": text.encode()}


def read_files(files: Mapping[str, bytes]) -> tuple[Fitted, dict[str, Any], NDArray[Any]]:
    """The fitted scorer, its parameters and its classes.

    Raises:
        BrokenScorer: a file is missing, unreadable, or not the one the other was written with.
            The hash is compared before any tree is read: LightGBM dies of a truncated model.
    """
    for name in ("model.txt", "scorer.json"):
        if name not in files:
            raise BrokenScorer(f"The saved scorer has no {name}. Save it again with Scorer.save.")
    try:
        content = json.loads(files["scorer.json"])
        found, expected = hashlib.sha256(files["model.txt"]).hexdigest(), content["model_sha256"]
        if content["format"] != FORMAT:
            raise BrokenScorer(f"scorer.json has format {content['format']}, not {FORMAT}.")
        if found != expected:
            raise BrokenScorer(
                f"model.txt has SHA-256 {found[:12]}…, scorer.json was written with "
                f"{expected[:12]}…. Take both files from the same save."
            )
        return _read(content, files["model.txt"].decode())
    except (KeyError, TypeError, ValueError) as error:
        raise BrokenScorer(f"scorer.json cannot be read: {error!r}.") from error


def content_hash(files: Mapping[str, bytes]) -> str:
    """SHA-256 over names and contents of files, whatever their order."""
    digests = (f"{name} {hashlib.sha256(files[name]).hexdigest()}\n" for name in sorted(files))
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def _read(content: dict[str, Any], model: str) -> tuple[Fitted, dict[str, Any], NDArray[Any]]:
    fitted = Fitted(
        form=content["form"],
        model=model,
        encoding=replace(_read_columns(content["columns"]), terms=_read_terms(content)),
        calibration=Calibration(**content["calibration"]),
        additive=tuple(
            Additive(part["mean"], tuple(np.array(effect) for effect in part["effects"]))
            for part in content["additive"]
        ),
        rounds=content["rounds"],
        rows=content["rows"],
        bad_rate=content["bad_rate"],
    )
    return fitted, content["parameters"], np.array(content["classes"])


def _write_columns(encoding: Encoding) -> list[dict[str, Any]]:
    columns = zip(
        encoding.columns.names,
        encoding.columns.levels,
        encoding.risks,
        encoding.fills.tolist(),
        strict=True,
    )
    return [
        {"name": name, "missing_as": None if np.isnan(fill) else fill}
        | ({} if risk is None else {"risks": dict(zip(levels or (), _known(risk), strict=True))})
        | ({"date": True} if at in encoding.columns.dates else {})
        for at, (name, levels, risk, fill) in enumerate(columns)
    ]


def _read_terms(content: dict[str, Any]) -> tuple[Term, ...]:
    return tuple(
        Term(
            of=tuple(term["of"]),
            cells=np.array(term["cells"], dtype=np.int64),
            values=np.array(term["values"], dtype=np.float64),
        )
        for term in content.get("terms", ())  # scorers of before have none
    )


def _known(risk: NDArray[np.float64]) -> list[float | None]:
    return [None if np.isnan(value) else value for value in risk.tolist()]


def _read_columns(columns: list[dict[str, Any]]) -> Encoding:
    levels = tuple(tuple(column["risks"]) if "risks" in column else None for column in columns)
    risks = tuple(
        np.array(list(column["risks"].values()), dtype=np.float64) if "risks" in column else None
        for column in columns
    )
    fills = np.array([column["missing_as"] for column in columns], dtype=np.float64)
    dates = frozenset(at for at, column in enumerate(columns) if column.get("date"))
    return Encoding(Columns(tuple(c["name"] for c in columns), levels, dates), risks, fills)
