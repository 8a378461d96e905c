"""Structured logs: one JSON object a line, naming the object that it is about; never a key."""

import json
import logging
import sys
from datetime import UTC, datetime


class JsonLines(logging.Formatter):
    """time, level, logger, message; `object` where the record names one."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        named = getattr(record, "object", None)
        if named is not None:
            line["object"] = str(named)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class Text(logging.Formatter):
    """For people at a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        named = getattr(record, "object", None)
        text = f"{record.levelname[0]} {record.getMessage()}" + (f"  [{named}]" if named else "")
        return text + ("\n" + self.formatException(record.exc_info) if record.exc_info else "")


def configure(*, json_lines: bool, verbose: bool) -> None:
    """Log to standard error; Kopf only what is a warning."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if json_lines else Text())
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, handlers=[handler], force=True)
    for name in ("kopf", "asyncio", "aiohttp"):
        logging.getLogger(name).setLevel(logging.WARNING)
