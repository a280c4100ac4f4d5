"""How fresh a source is agrees with what features see of it."""

from datetime import date, timedelta

from hypothesis import given, settings

from features.build import build
from features.catalog import select
from features.spans import moments_of
from serving.decision.sources import dates_as_of, dates_of_one, sources_as_of
from tests.features import worlds as w
from tests.features.spec import draw

FRESHNESS = {
    "registrations": "days_since_register_record",
    "tax_returns": "days_since_tax_record",
    "invoices": "days_since_invoice_record",
    "linked_bills": "days_since_utility_record",
}


@settings(max_examples=50, deadline=None)
@given(world=w.worlds(), asking=w.applications())
def test_a_source_is_as_old_as_its_features_say(world: w.World, asking: list[w.Row]) -> None:
    tables = {name: w.frame(name, rows) for name, rows in world.items()}
    applications = w.frame("applications", asking)
    rows = build(applications, tables, select(FRESHNESS.values())).to_dicts()
    for row, dates in zip(rows, sources_as_of(applications, tables), strict=True):
        for table, feature in FRESHNESS.items():
            known, days = dates[table], row[feature]
            assert known == (None if days is None else row["applied_on"] - timedelta(days=days))
        assert dates_of_one(row["business_id"], row["applied_on"], tables) == dates


def test_a_meter_whose_link_was_withdrawn_is_no_source() -> None:
    bills = draw(
        "linked_bills",
        """
        period     | attributed | known_on
        -----------+------------+-----------
        2025-03-01 | true       | 2025-04-18
        2025-03-01 | false      | 2025-06-10
        """,
    )

    def newest(on: date) -> date | None:
        moments = moments_of(bills["business_id"].unique(), on)
        [found] = dates_as_of(moments, {"linked_bills": bills}).to_dicts()
        assert found == dates_of_one(bills["business_id"][0], on, {"linked_bills": bills})
        return found["linked_bills"]

    assert newest(date(2025, 6, 9)) == date(2025, 4, 18)
    assert newest(date(2025, 6, 10)) is None
