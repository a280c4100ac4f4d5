"""A service that has imported everything and waits for its settings: one line of JSON.

Importing takes seconds and a fault takes milliseconds, so the next service imports while the
present one is being killed. (Forking would be quicker, but Polars does not survive a fork.)
"""

import sys

import msgspec

from serving.web.server import serve
from serving.web.settings import read_settings

if __name__ == "__main__":
    serve(read_settings(msgspec.json.decode(sys.stdin.readline(), type=dict[str, str])))
