"""The key set of an identity provider, fetched beside the requests and kept in a file.

No request waits for the provider. The file outlives its outages and our restarts: tokens go on
being checked with the last good set. A token of an unknown key, as after a rotation, makes the next
fetch come soon. The address comes from the settings alone, is never redirected, and is https but on
this machine.
"""

import logging
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit

from serving import durable
from serving.web.oidc import BadProvider, public_keys
from serving.web.settings import LOOPBACK

_log = logging.getLogger("microloan.serving")

EVERY_SECONDS = 300.0
SOON_SECONDS = 10.0  # between fetches that unknown keys ask for
PATIENCE_SECONDS = 5.0
LARGEST_SET = 256 * 1024  # bytes


class Provider:
    """Fetches one key set into one file."""

    def __init__(
        self, url: str, path: Path, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._url = _safe(url)
        self._path = path
        self._monotonic = monotonic
        self._tried_at = float("-inf")
        self._is_asked_for = False

    def look_again(self) -> None:
        """A token named a key that is not in the set."""
        self._is_asked_for = True

    def refresh(self) -> None:
        """Fetch the set if it is time; an outage or a bad set leaves the last good one."""
        due = SOON_SECONDS if self._is_asked_for else EVERY_SECONDS
        if self._monotonic() < self._tried_at + due:
            return
        self._tried_at, self._is_asked_for = self._monotonic(), False
        try:
            content = _fetched(self._url)
            public_keys(content, self._url)
        except (BadProvider, URLError, OSError, ValueError) as error:
            _log.error("the provider's key set stays as it is: %s", error)
            return
        if not self._path.exists() or self._path.read_bytes() != content:
            durable.write(self._path, content)
            _log.info("the provider's key set was renewed")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Answers to nothing but the address that was set."""

    def redirect_request(self, *_arguments: Any, **_named: Any) -> None:
        return None


def _fetched(url: str) -> bytes:
    opener = urllib.request.build_opener(_NoRedirect)
    with opener.open(url, timeout=PATIENCE_SECONDS) as answer:
        content: bytes = answer.read(LARGEST_SET + 1)
    if len(content) > LARGEST_SET:
        raise BadProvider(f"{url} answers more than {LARGEST_SET} bytes.")
    return content


def _safe(url: str) -> str:
    """``url``, if what it answers can be trusted. Raises ``BadProvider``."""
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK):
        return url
    raise BadProvider(
        f"{url!r} is no https address; a key set that can be exchanged on its way lets anybody in. "
        "Hint: name the provider's jwks_uri with https."
    )
