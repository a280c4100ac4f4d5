"""Unified social credit codes (GB 32100-2015), both check characters, unique by construction."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipelines.world.months import Ints

ALPHABET = np.frombuffer(b"0123456789ABCDEFGHJKLMNPQRTUWXY", dtype=np.uint8)
CODES = 31**6
STRIDE = 385_321_541  # prime to 31, so that neighbouring businesses get unlike codes
WEIGHTS_18 = np.array([1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28])
WEIGHTS_17 = np.array([3, 7, 9, 10, 5, 8, 4, 2])  # of the organisation code, GB 11714
ENTITY_CLASS = {"company": "1", "household": "2", "cooperative": "3"}


def credit_codes(
    number: Ints, forms: Sequence[str], districts: Sequence[str], seed: int
) -> NDArray[np.str_]:
    """Code of each business, from its running number in the province (0 up to 887 million)."""
    pairs = list(zip(forms, districts, strict=True))
    heads = {(form, at): f"9{ENTITY_CLASS.get(form, '1')}{at}MA" for form, at in set(pairs)}
    head = "".join(map(heads.__getitem__, pairs))
    body = np.frombuffer(head.encode(), dtype=np.uint8).reshape(len(pairs), 10)
    serial = (number * STRIDE + seed * 7_919 + 12_345) % CODES
    digits = serial[:, None] // 31 ** np.arange(5, -1, -1) % 31
    organisation = np.hstack([body[:, 8:], ALPHABET[digits]])
    code = np.hstack([body[:, :8], organisation, _check_17(organisation)[:, None]])
    code = np.hstack([code, _check_18(code)[:, None]])
    return np.ascontiguousarray(code).view("S18").ravel().astype("U18")


def _check_17(organisation: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Check character of an organisation code: letters count from A = 10."""
    letters = organisation >= ord("A")
    values = organisation.astype(np.int64) - np.where(letters, ord("A") - 10, ord("0"))
    check = (11 - values @ WEIGHTS_17 % 11) % 11
    return np.where(check == 10, ord("X"), check + ord("0")).astype(np.uint8)


def _check_18(code: NDArray[np.uint8]) -> NDArray[np.uint8]:
    values = np.searchsorted(ALPHABET, code)
    return np.asarray(ALPHABET[(31 - values @ WEIGHTS_18 % 31) % 31])
