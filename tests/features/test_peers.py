"""What standing among similar businesses tells, as drawn."""

from datetime import date

from features.peers import (
    electricity_growth_position,
    electricity_to_sales_off_peers,
    peer_sales_growth,
    peers_compared,
    purchases_off_peers,
    sales_growth_position,
    sales_volatility_position,
    vat_burden_off_peers,
)
from tests.features.spec import spec

ON = date(2025, 6, 15)


def test_a_position_is_the_share_of_similar_businesses_with_less() -> None:
    compared = """
        business_id | known_on   | sales_growth_percentile | sales_volatility_percentile | electricity_growth_percentile
        ------------+------------+-------------------------+-----------------------------+------------------------------
        shop        | 2025-05-01 |                      12 |                          80 |                            55
        stall       | 2025-05-01 |                         |                           0 |                            99
    """  # noqa: E501
    for feature, shop, stall in [
        (sales_growth_position, 0.12, None),
        (sales_volatility_position, 0.80, 0.0),
        (electricity_growth_position, 0.55, 0.99),
    ]:
        expected = {"shop": shop, "stall": stall, "stranger": None}
        spec(feature, compared, applied_on=ON, expected=expected)


def test_what_should_be_as_with_others_is_0_amid_them_and_1_outside() -> None:
    for feature, measure in [
        (vat_burden_off_peers, "vat_burden"),
        (purchases_off_peers, "purchases_to_sales"),
        (electricity_to_sales_off_peers, "electricity_to_sales"),
    ]:
        compared = f"""
            business_id | known_on   | {measure}_percentile
            ------------+------------+---------------------
            low         | 2025-05-01 |                    0
            amid        | 2025-05-01 |                   50
            high        | 2025-05-01 |                   75
            unknown     | 2025-05-01 |
        """
        expected = {"low": 1.0, "amid": 0.0, "high": 0.5, "unknown": None}
        spec(feature, compared, applied_on=ON, expected=expected)


def test_the_newest_comparison_counts_until_it_is_four_months_old() -> None:
    compared = """
        business_id | known_on   | peers | sales_growth_median
        ------------+------------+-------+--------------------
        shop        | 2025-02-01 |    40 |                 1.2
        shop        | 2025-05-01 |    44 |                 0.9
        shop        | 2025-06-16 |    45 |                 0.5
        left        | 2025-02-15 |    50 |                 1.1
        gone        | 2025-02-14 |    50 |                 1.1
    """
    expected = {"shop": 44, "left": 50, "gone": None}
    spec(peers_compared, compared, applied_on=ON, expected=expected)
    growth = {"shop": 0.9, "left": 1.1, "gone": None}
    spec(peer_sales_growth, compared, applied_on=ON, expected=growth)
