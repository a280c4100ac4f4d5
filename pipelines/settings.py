"""Where a run keeps its things: everything under one folder, `var/` by default."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Var:
    """The folders of one installation, all below ``root``."""

    root: Path

    @property
    def province(self) -> Path:
        """The made-up province: `feeds/` to deliver, `truth/` to measure against."""
        return self.root / "province"

    @property
    def feeds(self) -> Path:
        """The departments' tables as delivered."""
        return self.province / "feeds"

    @property
    def truth(self) -> Path:
        """What only a made-up world knows; never an input."""
        return self.province / "truth"

    @property
    def store(self) -> Path:
        """Accepted records."""
        return self.root / "store"

    @property
    def deliveries(self) -> Path:
        """What was taken from the inbox, a line each."""
        return self.root / "deliveries.jsonl"

    @property
    def link_weights(self) -> Path:
        """What linking believes of spellings, where it was learnt from the bank's own accounts."""
        return self.root / "link-weights.json"

    @property
    def online(self) -> Path:
        """What the sources tell of every business, made ahead for point reads."""
        return self.root / "online"

    @property
    def quarantine(self) -> Path:
        """Refused rows, with rule, column and value."""
        return self.root / "quarantine"

    @property
    def features(self) -> Path:
        """The feature table of all applications."""
        return self.root / "features" / "applications.parquet"

    @property
    def backtest(self) -> Path:
        """What a back-test would have decided of each application."""
        return self.root / "backtest.parquet"

    @property
    def mlflow(self) -> Path:
        """MLflow's database and artefacts."""
        return self.root / "mlflow"

    @property
    def bundles(self) -> Path:
        """What promotion publishes and the service reads."""
        return self.root / "bundles"

    @property
    def gate_key(self) -> Path:
        """Private key that signs the gate's records."""
        return self.root / "gate.key"

    @property
    def gate_keys(self) -> Path:
        """Public keys that verify them."""
        return self.root / "gate.pub"

    @property
    def journal(self) -> Path:
        """The decision journal."""
        return self.root / "journal"

    @property
    def keys(self) -> Path:
        """Hashed API keys."""
        return self.root / "keys.json"

    @property
    def scores(self) -> Path:
        """Decisions of a batch."""
        return self.root / "scores.parquet"

    @property
    def plots(self) -> Path:
        """Plots of the newest training."""
        return self.root / "plots"

    @property
    def prefect(self) -> Path:
        """Prefect's own state."""
        return self.root / "prefect"
