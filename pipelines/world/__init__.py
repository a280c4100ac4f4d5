"""A made-up province whose truth is known: businesses, departments that see them, and a bank."""

from pipelines.world.bank import Bias
from pipelines.world.province import ProvinceSummary, make_province

__all__ = ["Bias", "ProvinceSummary", "make_province"]
