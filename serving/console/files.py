"""The files of the console, served as they lie here; a browser may fetch nothing else."""

from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent
PAGE = "index.html"
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}


class File(NamedTuple):
    """What is served of a file."""

    content: bytes
    media_type: str


def console_files() -> dict[str, File]:
    """Every file a browser needs, by name, read once."""
    return {
        path.name: File(path.read_bytes(), _TYPES[path.suffix])
        for path in sorted(FOLDER.iterdir())
        if path.suffix in _TYPES
    }
