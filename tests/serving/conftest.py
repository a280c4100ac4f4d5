"""One small world for all tests of the service: real records, a real scorer, a published bundle."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx
import msgspec
import numpy as np
import polars as pl
import pytest

from features.catalog import directions, fingerprint, select
from models import Scorer
from models.gate_record import GateRecord, Limits, public_half, sign
from models.scoring.files import content_hash
from pipelines.intake.ingest import ingest
from serving.bundles.bundle import SCORER_FILES, Bundle, publish
from serving.bundles.champion import Champion
from serving.bundles.champions import crown
from serving.decision.decide import Application
from serving.desk.service import DecisionService
from serving.desk.service import Limits as Load
from serving.journal.database import At
from serving.journal.journal import Journal
from serving.online import Online
from serving.records import Records
from serving.web.app import create_app
from serving.web.keys import Keys, create_key
from serving.web.rates import Rate
from tests.pipelines.feeds import credit_code, deliver, feeds

NOW = datetime(2024, 7, 22, 2, 0, tzinfo=UTC)  # a week after the last records of the feeds
POLICY = Path(__file__).parents[2] / "policies" / "2026-11.yaml"
GATE_KEY = b"the key that signs in these tests"[:32]
GATE_KEYS = (public_half(GATE_KEY),)
SOURCES = {name: date(2024, 7, 10) for name in ("registrations", "tax_returns", "linked_bills")}
ASKED = Application(
    application_id="A-1",
    business_id="91330502MA000000X0",
    revision=0,
    amount=10_000,
    term_months=12,
    purpose="stock",
    repayment="bullet",
    applied_at=NOW,
)
FEATURES = select(
    (
        "business_age_months",
        "is_operating",
        "industry",
        "tax_arrears",
        "declared_sales_monthly_12m",
        "declared_sales_growth_12m",
        "months_since_return",
        "electricity_yoy_3m",
        "late_utility_bills_12m",
        "balance_owed",
        "amount",
        "term",
    )
)


def applicants(rows: int, seed: int = 0) -> pl.DataFrame:
    """Feature rows of made-up applicants, drawn independently."""
    random = np.random.default_rng(seed)
    sales = np.exp(random.normal(9.5, 1, rows))
    growth = np.exp(random.normal(0, 0.3, rows))
    drawn = {
        "business_age_months": random.uniform(0, 200, rows),
        "is_operating": np.ones(rows),
        "industry": random.choice(["C18", "F51", "F52", "H62"], rows),
        "tax_arrears": np.where(random.random(rows) < 0.1, 5000.0, 0.0),
        "declared_sales_monthly_12m": sales,
        "declared_sales_growth_12m": np.where(random.random(rows) < 0.2, np.nan, growth),
        "months_since_return": random.choice([1.0, 2.0, 3.0], rows),
        "electricity_yoy_3m": np.exp(random.normal(0, 0.3, rows)),
        "late_utility_bills_12m": random.poisson(1.0, rows).astype(float),
        "balance_owed": np.zeros(rows),
        "amount": random.choice([2e4, 2e5, 5e5], rows),
        "term": np.full(rows, 12.0),
    }
    frame = pl.DataFrame(drawn).fill_nan(None)
    return frame.select(feature.name for feature in FEATURES)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def scorer() -> Scorer:
    """A scorer fitted on applicants whose risk falls with age and sales and rises with lateness."""
    X = applicants(1500)
    age, late = X["business_age_months"].to_numpy(), X["late_utility_bills_12m"].to_numpy()
    arrears, sales = X["tax_arrears"].to_numpy(), X["declared_sales_monthly_12m"].to_numpy()
    log_odds = -4.2 - 0.02 * (age - 60) + 0.5 * late + 1.5 * (arrears > 0)
    log_odds -= 0.5 * (np.log(sales) - 9.5)
    bad = np.random.default_rng(1).random(len(age)) < 1 / (1 + np.exp(-log_odds))
    return Scorer(directions=directions(FEATURES), seeds=1, n_jobs=1).fit(X, bad.astype(int))


def signed_gate(files: Mapping[str, bytes], key: bytes = GATE_KEY, **changes: object) -> bytes:
    """The signed record of a gate that a scorer's files passed."""
    record = GateRecord(
        model="microloan 1",
        model_hash=content_hash({name: files.get(name, b"null") for name in SCORER_FILES}),
        fingerprint=fingerprint(FEATURES),
        champion=None,
        judged_at="2026-01-01T00:00:00Z",
        limits=Limits(),
        checks=(),
        passed=True,
    )
    return sign(msgspec.structs.replace(record, **changes), key)


def publish_in(folder: Path, scorer: Scorer, version: str = "1", golden: int = 200) -> Path:
    """Publish the scorer with the shipped policy, and make it the champion."""
    release = publish(
        folder,
        scorer=scorer,
        features=FEATURES,
        policy=POLICY.read_bytes(),
        golden=applicants(golden, seed=2),
        gate=signed_gate(scorer.to_bytes()),
        gate_keys=GATE_KEYS,
        about={"name": "microloan", "version": version},
    )
    crown(folder, release.name, NOW)
    return release


@pytest.fixture(scope="session")
def bundles(scorer: Scorer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one published release; tests that publish more make their own."""
    folder = tmp_path_factory.mktemp("bundles")
    publish_in(folder, scorer)
    return folder


def _paid_in_time(bills: pl.DataFrame) -> pl.DataFrame:
    first = bills.filter(pl.col("paid_on").is_null())
    paid_on = pl.col("billed_on").dt.offset_by("5d")
    return first.with_columns(paid_on=paid_on, known_on=paid_on.dt.offset_by("1d"))


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty businesses over six months, ingested."""
    folder = tmp_path_factory.mktemp("feeds")
    tables = feeds(businesses=60, months=6)
    del tables["repayments"]  # nobody owes anything yet
    tables["utility_bills"] = _paid_in_time(tables["utility_bills"])
    delivery = deliver(folder / "delivery", tables)
    ingest(delivery, folder / "store", folder / "quarantine")
    return folder / "store"


@pytest.fixture(scope="session")
def champion(bundles: Path) -> Champion:
    return Champion(bundles, GATE_KEYS)


@pytest.fixture(scope="session")
def bundle(champion: Champion) -> Bundle:
    return champion.bundle


def request_of(number: int = 0, **changes: object) -> dict[str, object]:
    """A valid request of business ``number`` (of the sixty) for a loan within its limit."""
    return {
        "application_id": f"A-{number:06d}",
        "business_id": credit_code(number % 60),
        "amount": 20_000,
        "term_months": 12,
        "purpose": "stock",
    } | changes


class Desk:
    """The service in this process, with a client that holds an officer's key."""

    def __init__(self, service: DecisionService, keys_path: Path, journal_at: At) -> None:
        self.service = service
        self.journal_at = journal_at
        self.keys_path = keys_path
        self.now = NOW
        self.key = create_key(keys_path, "officer", ["officer"], now=NOW)
        self.app = create_app(
            service,
            Keys(keys_path),
            clock=lambda: self.now,
            request_id=lambda: "request-1",
            backdating=timedelta(days=366),  # tests ask as of days past
            failures=Rate(1e6, 1e6),  # tests fail to name a key oftener than anybody
        )

    def client(self, key: str | None = None) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app)
        headers = {"authorization": f"Bearer {key or self.key}"}
        return httpx.AsyncClient(transport=transport, base_url="http://desk", headers=headers)


async def post(
    client: httpx.AsyncClient, body: object, key: str = "key-0000000000000001"
) -> httpx.Response:
    """Ask for a decision; ``body`` is sent as it is if it is bytes."""
    content = {"content": body} if isinstance(body, bytes) else {"json": body}
    headers = {"idempotency-key": key, "content-type": "application/json"}
    return await client.post("/v1/decisions", headers=headers, **content)  # type: ignore[arg-type]


@pytest.fixture
def journal_at(tmp_path: Path) -> At:
    """Where the journal of a desk is; a module may name another database."""
    return tmp_path / "journal.db"


@pytest.fixture
def open_desk(
    tmp_path: Path, store: Path, champion: Champion, journal_at: At
) -> Iterator[Callable[..., Desk]]:
    """Opens desks on one journal folder; each is closed before the next opens, or at the end."""
    with ExitStack() as stack:

        def open_one(
            champion: Champion = champion,
            store: Path = store,
            online: Path | None = None,
            **limits: float,
        ) -> Desk:
            stack.close()
            keys_path = tmp_path / "keys.json"
            create_key(keys_path, "first", ["auditor"], now=NOW)
            journal = Journal(journal_at)
            records = Records.open(store)
            chosen = Load(**{"deadline_s": 60.0, "patience_s": 30.0, **limits})  # type: ignore[arg-type]
            made_ahead = Online(online) if online else None
            service = DecisionService(champion, records, journal, chosen, online=made_ahead)
            stack.callback(service.close)
            return Desk(service, keys_path, journal_at)

        yield open_one


@pytest.fixture
def desk(open_desk: Callable[..., Desk]) -> Desk:
    return open_desk()
