"""The process around the service: what it contains, what it refuses, how it starts and stops."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import uvicorn

from features.errors import MicroloanError
from serving.web.server import Server
from serving.web.settings import Settings, read_settings


def run(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


NOT_SERVED = ("mlflow", "prefect", "pipelines", "fastapi", "flask")
PROGRAM = f"""
import runpy, sys
try:
    runpy.run_module("serving.web.server", run_name="__main__")
finally:
    print(sorted({{name.split(".")[0] for name in sys.modules}} & {{*{NOT_SERVED}}}))
"""


def test_a_server_without_keys_says_what_to_do_and_has_nothing_of_mlflow_or_prefect(
    tmp_path: Path,
) -> None:
    done = run("-c", PROGRAM, MICROLOAN_SERVING_KEYS=str(tmp_path / "none.json"))
    assert done.returncode == 1
    assert "microloan keys create" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout.strip() == "[]"


def test_settings_come_from_the_environment_once() -> None:
    settings = read_settings({"MICROLOAN_SERVING_PORT": "9000", "HOME": "/root"})
    assert (settings.port, settings.host) == (9000, "127.0.0.1")
    assert read_settings({"MICROLOAN_SERVING_KEYS": "k.json"}).keys == Path("k.json")
    provider = {"MICROLOAN_SERVING_OIDC_JWKS": "j.json", "MICROLOAN_SERVING_OIDC_ISSUER": "i"}
    assert (settings.oidc_jwks, read_settings(provider).oidc_jwks) == (None, Path("j.json"))


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"MICROLOAN_SERVING_PROT": "1"}, "MICROLOAN_SERVING_PORT"),
        ({"MICROLOAN_SERVING_PORT": "http"}, "port"),
        ({"MICROLOAN_SERVING_HOST": "0.0.0.0"}, "TLS proxy"),
        ({"MICROLOAN_SERVING_BACKDATING_DAYS": "-1"}, "backdating_days is -1"),
        ({"MICROLOAN_SERVING_OIDC_JWKS": "jwks.json"}, "MICROLOAN_SERVING_OIDC_ISSUER"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(environment: dict[str, str], said: str) -> None:
    with pytest.raises(MicroloanError, match=said):
        read_settings(environment)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Settings().port = 1  # type: ignore[misc]


def test_from_the_signal_on_nothing_new_is_taken() -> None:
    drained: list[str] = []
    server = Server(uvicorn.Config("nothing:here"), lambda: drained.append("drained"))
    server.handle_exit(signal.SIGTERM, None)
    assert (drained, server.should_exit) == (["drained"], True)
