"""Applicants with missing values, text and truth values, for tests of the scorer itself."""

import numpy as np
import pandas as pd
from scipy.special import expit

DIRECTIONS = {"age": -1, "late_filings": 1}
TRADE_RISK = {"bakery": -0.5, "haulage": 0.8, "textile": 0.3, "tutoring": 0.0}


def applicants(rows: int = 1500, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Features and outcomes; about a fifth is bad."""
    random = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "age": random.exponential(5.0, rows),
            "sales_trend": random.normal(size=rows),
            "trade": random.choice(np.array(list(TRADE_RISK)), rows),
            "late_filings": random.poisson(1.0, rows),
            "has_meter": random.random(rows) < 0.6,
        }
    )
    X.loc[random.random(rows) < 0.2, "sales_trend"] = np.nan
    log_odds = (
        -1.2
        - 0.2 * X["age"]
        - 0.6 * X["sales_trend"].fillna(0.5)
        + 0.5 * X["late_filings"]
        + X["trade"].map(TRADE_RISK) * (1 + X["has_meter"])
    )
    return X, (random.random(rows) < expit(log_odds)).astype(int)
