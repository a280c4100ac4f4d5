"""The service's log: one JSON object a line, and no business named in it."""

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import TextIO

CREDIT_CODE = re.compile(r"\b[0-9A-HJ-NP-RT-UW-Y]{2}\d{6}[0-9A-HJ-NP-RT-UW-Y]{10}\b")
KEY = re.compile(r"\bmlk_[A-Za-z0-9]{8}_[A-Za-z0-9_-]{43}")


class Lines(logging.Formatter):
    """Writes a record as one line; what would break it, or forge another, is escaped by JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The record, with the traceback of its error if it has one."""
        told = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "said": _unnamed(record.getMessage()),
        }
        if record.exc_info:
            told["error"] = _unnamed(self.formatException(record.exc_info))
        return json.dumps(told)  # ASCII: no separator of Unicode ends a line


def configure(stream: TextIO = sys.stderr) -> None:
    """Let everything that is logged in this process leave through ``Lines``."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(Lines())
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)


def _unnamed(text: str) -> str:
    """``text`` without the codes of businesses and the secrets of keys."""
    return KEY.sub("mlk_…", CREDIT_CODE.sub("[business]", text))
