"""A province held against published figures, with the verdict on each."""

from pipelines.world.report.page import Report, measure, told, write

__all__ = ["Report", "measure", "told", "write"]
