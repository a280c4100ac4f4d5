"""The decision service by business id, beside `mlflow models serve` and a tutorial's service.

All answer with the trees of the champion in ``--var``, one after another in one run, asked by the
same callers in a process of their own on the same machine. Ours looks the business up among a
million, applies the policy, gives offers, reasons and a way to yes, and answers after an fsync; the
others are sent the finished features and give a number.

    microloan run --once && python benchmarks/service.py --var var --json
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Annotated, Any

import apsw
import lightgbm as lgb
import msgspec
import numpy as np
from callers import Load, load, post
from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from pipelines.materialise import PUT, materialise
from pipelines.service import settings
from pipelines.settings import Var
from pipelines.world.credit_codes import credit_codes
from serving.records import Records
from serving.web.keys import create_key
from serving.web.settings import PREFIX

HERE = Path(__file__).parent
TICKS = os.sysconf("SC_CLK_TCK")
AMOUNTS = (50_000, 100_000, 200_000, 400_000)

app = App(help="Measure the service.")
people = Console(stderr=True, width=120)


@app.default
def main(
    *,
    var: Path = Path("var"),
    rows: int = 1_000_000,
    callers: tuple[int, ...] = (1, 16),
    seconds: float = 10.0,
    as_json: Annotated[bool, Parameter("--json", negative="")] = False,
) -> None:
    """Ask each service for a while.

    Parameters
    ----------
    var
        What a run made: records, and a champion.
    rows
        Businesses of the online store.
    callers
        Callers at once, one measurement each.
    seconds
        How long each is asked.
    """
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        for name, port, process, request in _services(Var(var), Path(folder), rows):
            first = 0
            for count in callers:
                load(port, request, callers=count, seconds=1.0, first=first)
                first += 1_000_000
                before = _cpu(process)
                found = load(port, request, callers=count, seconds=seconds, first=first)
                first += 1_000_000
                figures.append(_figures(name, count, found, _cpu(process) - before))
                people.print(figures[-1])
    print(json.dumps(figures, indent=2)) if as_json else _show(figures)
    if refused := sum(each["refused"] for each in figures):
        raise SystemExit(f"{refused:,} answers were no decisions; the figures say nothing.")


def _services(
    paths: Var, folder: Path, rows: int
) -> Iterator[tuple[str, int, subprocess.Popen[bytes], Any]]:
    asked_at = _last_application(paths)
    made = materialise(paths.store, folder / "online", first=asked_at.date(), days=2)
    records = Records.open(paths.store).table("registrations")["business_id"].unique().to_list()
    businesses = _multiplied(Path(made.path), rows)
    keys = folder / "keys.json"
    key = create_key(keys, "bench", ["officer"], now=datetime.now(UTC))
    for name, ids, online in (
        ("microloan, from the online store", businesses, folder / "online"),
        ("microloan, from the records", records, folder / "none"),
    ):
        port = _free_port()
        served = settings(paths, port=port, backdating=36_500)
        told = {name: str(getattr(served, name)) for name in ("store", "bundles", "gate_keys")}
        told |= {"port": str(port), "keys": str(keys), "online": str(online)}
        told["backdating_days"] = "7300"  # its records ended long ago
        told |= {"journal": str(folder / f"journal-{port}" / "journal.db")}
        environment = {PREFIX + name.upper(): value for name, value in told.items()}
        with _running([sys.executable, "-m", "serving.web.server"], environment) as process:
            _await(port, "/health/ready")
            yield name, port, process, _decision(ids, key, asked_at)
    model = folder / "model.txt"
    shutil.copy(paths.bundles / "champion" / "model.txt", model)
    yield from _rivals(folder, model)


def _rivals(folder: Path, model: Path) -> Iterator[tuple[str, int, subprocess.Popen[bytes], Any]]:
    import mlflow.lightgbm

    booster = lgb.Booster(model_file=str(model))
    mlflow.lightgbm.save_model(booster, str(folder / "mlflow"))
    values = dict.fromkeys(booster.feature_name(), 1.0)
    port = _free_port()
    serve = [str(Path(sys.executable).with_name("mlflow")), "models", "serve", "-m"]
    serve += [str(folder / "mlflow"), "-p", str(port), "--env-manager", "local"]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # it asks for uvicorn
    with _running(serve, {"MLFLOW_DISABLE_TELEMETRY": "true", "PATH": path}) as process:
        _await(port, "/ping")
        split = {"columns": list(values), "data": [list(values.values())]}
        sent = post("/invocations", msgspec.json.encode({"dataframe_split": split}))
        yield "mlflow models serve", port, process, lambda _: sent
    port = _free_port()
    serve = [sys.executable, "-m", "uvicorn", "--app-dir", str(HERE), "tutorial_service:app"]
    serve += ["--port", str(port), "--no-access-log"]
    with _running(serve, {"MODEL": str(model)}) as process:
        _await(port, "/docs")
        sent = post("/predict", msgspec.json.encode({"features": values}))
        yield "a tutorial's FastAPI service", port, process, lambda _: sent


def _last_application(paths: Var) -> datetime:
    """The newest moment at which the records were not stale yet: most were, at the clock's."""
    newest = Records.open(paths.store).table("applications")["applied_at"].max()
    assert isinstance(newest, datetime)
    return newest.replace(hour=4, minute=0)  # noon in Shanghai, so that both have one day


def _decision(ids: list[str], key: str, asked_at: datetime) -> Any:
    random = Random(0)

    def request(number: int) -> bytes:
        body = {
            "application_id": f"B-{number}",
            "business_id": random.choice(ids),
            "amount": random.choice(AMOUNTS),
            "term_months": 12,
            "purpose": "stock",
            "applied_at": asked_at.isoformat(),
        }
        headers = f"authorization: Bearer {key}\r\nidempotency-key: benchmark-{number:016d}\r\n"
        return post("/v1/decisions", msgspec.json.encode(body), headers)

    return request


def _multiplied(path: Path, rows: int) -> list[str]:
    """The ids of ``rows`` businesses, whose rows are those of ``path`` again and again."""
    file = apsw.Connection(str(path))
    made = list(file.execute("SELECT * FROM standing"))
    missing = max(0, rows - len(made))
    number = np.arange(missing)
    ids = credit_codes(number, ["company"] * missing, ["000000"] * missing, seed=0).tolist()
    with file:
        for at, business in enumerate(ids):
            _, last_day, content = made[at % len(made)]
            file.execute(PUT, (business, last_day, content))
    file.close()
    os.sync()  # or the journal's fsyncs would wait for gigabytes of this file
    return [*ids, *(business for business, _, _ in made)]


@contextmanager
def _running(
    command: list[str], environment: dict[str, str]
) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(
        command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=30)


def _await(port: int, path: str) -> None:
    for _ in range(600):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise SystemExit(f"nobody answers on {port}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _cpu(process: "subprocess.Popen[bytes]") -> float:
    """Seconds of CPU of a process and its children, so far."""
    total = 0.0
    for pid in _family(process.pid):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / TICKS
    return total


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in _family(int(child)))]


def _figures(name: str, callers: int, found: Load, cpu: float) -> dict[str, Any]:
    return {
        "service": name,
        "callers": callers,
        "per_second": found.per_second,
        "p50_ms": 1000 * found.quantile(0.5),
        "p99_ms": 1000 * found.quantile(0.99),
        "server_cpu_ms": 1000 * cpu / len(found.seconds),
        "refused": found.refused,
    }


def _show(figures: list[dict[str, Any]]) -> None:
    table = Table(*figures[0], "times mlflow", title="Decisions and predictions")
    rates = {(each["service"], each["callers"]): each["per_second"] for each in figures}
    for each in figures:
        times = each["per_second"] / rates["mlflow models serve", each["callers"]]
        shown = (f"{v:,.2f}" if isinstance(v, float) else str(v) for v in each.values())
        table.add_row(*shown, f"{times:,.1f}")
    Console().print(table)


if __name__ == "__main__":
    app()
