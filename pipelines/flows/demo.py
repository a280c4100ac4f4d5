"""The flow of `microloan run`: from a made-up province to a published scorer."""

from typing import Any

from prefect import flow

from pipelines.flows import steps
from pipelines.service import invited_day
from pipelines.settings import Var


@flow(name="whole path", validate_parameters=False)
def whole_path(paths: Var, businesses: int, months: int, seed: int) -> dict[str, Any]:
    """From a made-up province to a published scorer and a scored batch."""
    return {
        "province": steps.make_feeds(paths, businesses, months, seed),
        "ingest": steps.take_in(paths, paths.feeds),
        "features": steps.build_features(paths),
        "training": steps.train_scorer(paths, seed),
        "promotion": steps.promote_scorer(paths),
        "batch": steps.score_batch(paths),
        # a made-up province ends before today: rows are made for the day that the demo asks about
        "online": steps.make_ahead(paths, invited_day(paths)),
    }
