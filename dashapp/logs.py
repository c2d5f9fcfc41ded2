"""The log: lines for people or JSON for programs, each with the id of the request that it belongs to."""

from __future__ import annotations

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Literal

Format = Literal["text", "json"]
Level = Literal["debug", "info", "warning", "error"]

#: The id of the request under way in this task; its answer carries it in ``X-Request-Id``.
request_id: ContextVar[str] = ContextVar("request_id", default="")


class _WithRequest(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get() or "-"
        return True


class _Json(logging.Formatter):
    """One object a line. What a caller gives as ``extra={"fields": {…}}`` stands beside the rest."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "requestId": getattr(record, "request_id", "-"),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def setup(form: Format = "text", level: Level = "warning") -> None:
    """Log to standard error; a later call wins."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_WithRequest())
    text = logging.Formatter("%(asctime)s %(levelname)s %(name)s [%(request_id)s]: %(message)s")
    handler.setFormatter(_Json() if form == "json" else text)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # Two libraries' habitual remarks: each viewer that leaves, and each job that ran.
    for name in ("apscheduler", "bokeh"):
        logging.getLogger(name).setLevel(logging.ERROR)
