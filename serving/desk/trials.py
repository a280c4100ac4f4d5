"""How often a business was tried with changed applications: who edits until approved is seen.

Officers under sales pressure change the figures of an application until the answer is yes; such
trials predict default (Berg, Puri and Rocholl, Review of Finance 2020).
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from serving.journal.entries import moment
from serving.journal.journal import Journal
from serving.wire.schemas import Terms

WINDOW = timedelta(days=30)
EARLIER = """SELECT entry_id, terms FROM entry
WHERE business = ? AND kind = 'decision' AND at >= ? ORDER BY sequence"""


class Trials(NamedTuple):
    """Earlier decisions of a business on other terms, and how often the terms changed."""

    decision_ids: tuple[str, ...] = ()
    changed: int = 0


def trials_of(journal: Journal, business: bytes, terms: bytes, now: datetime) -> Trials:
    """The trials of a business in the 30 days before ``now``, whoever made them."""
    return count(journal.rows(EARLIER, business, moment(now - WINDOW)), terms)


def count(earlier: Iterable[tuple[str, bytes]], terms: bytes) -> Trials:
    """Trials from earlier decisions, as ids and terms; asking the same again is no trial."""
    others = [(decision_id, asked) for decision_id, asked in earlier if asked != terms]
    return Trials(
        tuple(decision_id for decision_id, _ in others), len({each for _, each in others})
    )


def terms_of(journal: Journal, request: Terms) -> bytes:
    """Keyed hash of what is asked for, whoever asks and whenever."""
    asked = (
        request.amount,
        request.term_months,
        request.purpose,
        request.repayment,
        request.guaranteed,
    )
    return journal.hashed(b"terms", repr(asked).encode())


def business_hash(journal: Journal, organisation: str, business_id: str) -> bytes:
    """Pseudonym of a business within a bank."""
    return journal.hashed(b"business", f"{organisation}\n{business_id}".encode())
