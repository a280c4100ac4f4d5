"""Whose records a commit changed, so that what was made of them ahead is made anew for them alone.

A file in ``news/`` is named by the two states of the store it lies between, and says of a business
from which day on its records tell something else. It is written before the manifest; that of a
commit that was killed stays behind, and no later state leads back to it. Where the chain of files
is broken nobody knows, and everybody's records may have changed.
"""

import io
from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl

FOLDER = "news"
KEPT = 30  # states that can be followed back
NEWS = pl.Schema({"business_id": pl.String, "since": pl.Date})
_NAMED = 16  # digits of a state in a file's name


def news_of(rows: pl.DataFrame) -> pl.DataFrame:
    """What rows that came, or went, are to their businesses: the first day they were known on."""
    news = rows.group_by("business_id").agg(pl.col("known_on").min().alias("since"))
    return news.select(list(NEWS))


def differences(old: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """The news in a part that was made anew."""
    columns = old.columns
    gone = old.join(new, on=columns, how="anti", nulls_equal=True)
    come = new.join(old, on=columns, how="anti", nulls_equal=True)
    return news_of(pl.concat([gone, come]))


def joined(news: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """All of it, a row per business, in order."""
    every = pl.concat([NEWS.to_frame(), *news])
    return every.group_by("business_id").agg(pl.col("since").min()).sort("business_id")


def news_file(folder: Path, before: str, after: str) -> Path:
    """The file between two states, each the SHA-256 of its manifest."""
    return folder / FOLDER / f"{before[:_NAMED]}-{after[:_NAMED]}.arrow"


def news_content(news: pl.DataFrame) -> bytes:
    """The content of a file of news."""
    content = io.BytesIO()
    news.write_ipc(content, compression="zstd")
    return content.getvalue()


def news_since(folder: Path, before: str, now: str) -> pl.DataFrame | None:
    """The news of all commits from one state to another; None if nobody knows."""
    found: list[pl.DataFrame] = []
    for state, path in _back_from(folder, now):
        if state == before[:_NAMED]:
            return joined(found)
        if path is not None:
            found.append(pl.read_ipc(path.read_bytes()))
    return None


def prune_news(folder: Path, now: str) -> None:
    """Remove the files that are too old to be followed, and those of commits that were killed."""
    kept = {path for _, path in _back_from(folder, now)}
    for path in (folder / FOLDER).glob("*.arrow"):
        if path not in kept:
            path.unlink()


def _back_from(folder: Path, now: str) -> Iterator[tuple[str, Path | None]]:
    """States from ``now`` back, each with the file that leads to the one before, if any."""
    files = {path.stem.partition("-")[2]: path for path in (folder / FOLDER).glob("*.arrow")}
    state = now[:_NAMED]
    for _ in range(KEPT):
        path = files.get(state)
        yield state, path
        if path is None:
            return
        state = path.stem.partition("-")[0]
