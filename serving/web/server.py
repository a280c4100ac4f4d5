"""Run the service: open everything it needs, serve, finish what was accepted, close."""

import logging
import os
import secrets
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import FrameType

import uvicorn
from starlette.types import ASGIApp
from threadpoolctl import threadpool_limits

from serving.bundles.champion import Champion
from serving.bundles.release import read_gate_keys
from serving.desk.service import DecisionService, Limits
from serving.journal.database import located
from serving.journal.journal import Journal
from serving.online import Online
from serving.records import Records
from serving.web.app import create_app
from serving.web.keys import Keys
from serving.web.logs import configure
from serving.web.oidc import AnyOf, Tokens
from serving.web.provider import Provider
from serving.web.settings import Settings

_log = logging.getLogger("microloan.serving")

GRACE_SECONDS = 8
SWITCH_SECONDS = 0.0005
LAST_WORDS_SECONDS = 0.9  # for the callers of a failed commit to hear that it is unknown


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; returns when what was accepted is finished.

    Raises:
        MicroloanError: keys, bundle, store or journal cannot be used; says which and what to do.
    """
    configure()
    with opened(settings) as (service, app):
        config = uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            log_config=None,  # its warnings then leave as all others do
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
            backlog=1024,
        )
        # Who answers the network waits for no thread longer: refusals come first under load.
        sys.setswitchinterval(SWITCH_SECONDS)
        # A row is too small to share: threads of BLAS would only wait for each other.
        with _handled_once(), threadpool_limits(1):
            Server(config, service.drain).run()


class Server(uvicorn.Server):
    """Takes nothing new from the signal on, also where a connection is still open."""

    def __init__(self, config: uvicorn.Config, drain: Callable[[], None]) -> None:
        super().__init__(config)
        self._drain = drain

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop."""
        self._drain()
        super().handle_exit(sig, frame)


@contextmanager
def _handled_once() -> Iterator[None]:
    """Uvicorn raises its signal again when it is done, which would end us before we closed."""
    before = {number: signal.signal(number, _ignore) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: the signal has been answered."""


@contextmanager
def opened(settings: Settings) -> Iterator[tuple[DecisionService, ASGIApp]]:
    """The service and its application with all they need open, closed again afterwards."""
    known, provider = _authenticators(settings)
    gate_keys = read_gate_keys(settings.gate_keys)
    champion = Champion(settings.bundles, gate_keys, start="fork")  # before any thread starts
    records = Records.open(settings.store)
    records.warm()
    journal = Journal(located(settings.journal, settings.journal_files), on_failure=_stop)
    limits = Limits(workers=settings.workers, waiting=settings.waiting)
    service = DecisionService(champion, records, journal, limits, online=Online(settings.online))
    try:
        app = create_app(
            service,
            known,
            clock=_now,
            request_id=_request_id,
            second_person_above=settings.second_person_above,
            retention_years=settings.retention_years,
            backdating=timedelta(days=settings.backdating_days),
            per_second=settings.requests_per_second,
            provider=provider,
        )
        yield service, app
    finally:
        service.close()


def _authenticators(settings: Settings) -> tuple[AnyOf, Provider | None]:
    """API keys, and tokens of the identity provider if one is named."""
    keys = Keys(settings.keys)
    jwks = settings.oidc_jwks or settings.keys.with_name("jwks.json")
    if settings.oidc_jwks_url:
        provider = Provider(settings.oidc_jwks_url, jwks)
        provider.refresh()
        known = settings.oidc_issuer, settings.oidc_audience
        return AnyOf((keys, Tokens(jwks, *known, provider.look_again))), provider
    if settings.oidc_jwks:
        return AnyOf((keys, Tokens(jwks, settings.oidc_issuer, settings.oidc_audience))), None
    return AnyOf((keys,)), None


def _stop(reason: str) -> None:
    """End the process soon: after a failed commit only a reopened journal knows what is in it."""
    _log.critical("the journal failed, the service stops: %s", reason)
    timer = threading.Timer(LAST_WORDS_SECONDS, os._exit, [os.EX_IOERR])
    timer.daemon = True
    timer.start()


def _now() -> datetime:
    return datetime.now(UTC)


def _request_id() -> str:
    return secrets.token_hex(8)


def main() -> int:
    """Serve with the settings of the environment: ``python -m serving.web.server``."""
    from features.errors import MicroloanError
    from serving.web.settings import read_settings

    try:
        serve(read_settings(os.environ))
    except MicroloanError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
