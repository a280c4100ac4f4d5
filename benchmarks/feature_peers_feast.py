"""Feast's point-in-time join of the register, run by the Python of Feast's own environment.

Feast joins values as known; it computes none, so the age and the flag are taken from what it gives.
"""

import json
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import pandas as pd
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig
from feast.types import Int64, String
from feast.value_type import ValueType

ZONE = "Asia/Shanghai"


def main(few: Path, files: Path, out: Path) -> None:
    """Write two features of every application; print figures as JSON.

    What is loaded for the first ``few`` businesses does not count.
    """
    features(few)
    cpu, start = time.process_time(), time.perf_counter()
    table = features(files)
    figures = {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - cpu,
        "peak_mb": peak_mb(),
    }
    table.reset_index().to_parquet(out)
    print(json.dumps(figures))


def features(files: Path) -> pd.DataFrame:
    """The register as known on the day of each application."""
    with tempfile.TemporaryDirectory() as folder:
        store, joined = prepared(files, Path(folder))
        names = ("status", "registered_capital_fen")
        asked = [f"register:{name}" for name in names]
        rows = store.get_historical_features(entity_df=joined, features=asked).to_df()
    rows = rows.set_index("application_id")
    status = rows["status"]
    return pd.DataFrame(
        {
            "is_operating": (status == "operating").where(status.notna()).astype(float),
            "registered_capital": rows["registered_capital_fen"].astype(float) * 0.01,
        }
    )


def prepared(files: Path, folder: Path) -> tuple[FeatureStore, pd.DataFrame]:
    """A store with the register as its only view, and the applications with their days."""
    records = pd.read_parquet(files / "registrations")
    records["known_on"] = pd.to_datetime(records["known_on"]).dt.tz_localize("UTC")
    records.to_parquet(folder / "register.parquet")
    source = FileSource(path=str(folder / "register.parquet"), timestamp_field="known_on")
    business = Entity(name="business_id", value_type=ValueType.STRING)
    view = FeatureView(
        name="register",
        entities=[business],
        ttl=timedelta(days=0),
        schema=[
            Field(name="status", dtype=String),
            Field(name="registered_capital_fen", dtype=Int64),
        ],
        source=source,
    )
    store = FeatureStore(
        config=RepoConfig(
            project="peers",
            provider="local",
            registry=str(folder / "registry.db"),
            online_store={"type": "sqlite", "path": str(folder / "online.db")},
            entity_key_serialization_version=3,
        )
    )
    store.apply([business, view])
    joined = pd.read_parquet(files / "applications")[["application_id", "business_id"]].copy()
    moments = pd.read_parquet(files / "applications")["applied_at"].dt.tz_convert(ZONE)
    # the moment, for Feast answers once where a business asks twice at one time
    joined["event_timestamp"] = moments.dt.tz_localize(None).dt.tz_localize("UTC")
    return store, joined


def peak_mb() -> float:
    """Most memory this process has held (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
