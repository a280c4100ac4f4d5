"""A journal that holds what a batch decided, as the service would have recorded it."""

from collections.abc import Collection
from pathlib import Path

import msgspec

from features.catalog import CATALOG
from pipelines.score import application_of
from pipelines.settings import Var
from pipelines.tabulate import read_features
from serving.bundles.bundle import read_champion
from serving.bundles.release import read_gate_keys
from serving.decision.rows import clean
from serving.decision.sources import sources_as_of
from serving.desk.replay import Record, decide_with
from serving.journal.entries import Entry, moment
from serving.journal.journal import Journal
from serving.records import Records
from serving.wire.schemas import DecisionRequest, answer


def record(paths: Var, at: Path, names: Collection[str]) -> None:
    """Decide the applications of those names again and append them to a new journal."""
    bundle = read_champion(paths.bundles, read_gate_keys(paths.gate_keys))
    table, _ = read_features(paths.features, CATALOG)
    records, journal = Records.open(paths.store), Journal(at)
    wanted = table.filter(table["application_id"].is_in(list(names)))
    for bucket in range(records.buckets):
        tables = records.bucket(bucket)
        asked = tables["applications"].join(wanted, on="application_id", how="inner")
        sources = sources_as_of(asked, tables)
        for row, dates in zip(asked.iter_rows(named=True), sources, strict=True):
            application = application_of(row)
            known = clean({feature.name: row[feature.name] for feature in CATALOG})
            at_moment, name = application.applied_at, f"dec_{application.application_id}"
            decision = decide_with(
                bundle, application, known, dates, at_moment, name, propose=False
            )
            made = Record(
                request=DecisionRequest(
                    application_id=application.application_id,
                    business_id=application.business_id,
                    amount=application.amount,
                    term_months=application.term_months,
                    purpose=application.purpose,
                    repayment=application.repayment,
                ),
                application=application,
                organisation="bank",
                key_id="key",
                row=dict(known),
                sources=dict(dates),
                bundle_id=bundle.id,
                policy_sha256=bundle.policy_version.sha256,
                snapshot=records.snapshot,
                decided_at=at_moment,
                decision=decision,
            )
            entry = Entry(
                kind="decision",
                entry_id=name,
                decision_id=name,
                application_id=application.application_id,
                revision=1,
                organisation="bank",
                outcome=decision.outcome,
                at=moment(at_moment),
                key_hash=name.encode(),
                fingerprint=b"",
                record=msgspec.json.encode(made),
                response=answer(decision, ()),
            )
            journal.append(entry).result()
    journal.close()
