"""Structured logs: one JSON object a line, naming the object that it is about; never a key."""

import argparse
import base64
import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import Any


class JsonLines(logging.Formatter):
    """time, level, logger, message; `object` where the record names one, and its fields."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        named = getattr(record, "object", None)
        if named is not None:
            line["object"] = str(named)
        line |= {name: value for name, value in _fields(record).items() if name not in line}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return without_keys(json.dumps(line, ensure_ascii=False, default=str))


_KEY = re.compile(r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,20}PRIVATE KEY-----|$)", re.DOTALL)
_LABELS = ("PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY")
_ENCODED = (base64.b64encode(f"-----BEGIN {label}".encode())[:28].decode() for label in _LABELS)
_ENCODED_KEY = re.compile("|".join(f"{begin}[A-Za-z0-9+/=]*" for begin in _ENCODED))


def without_keys(text: str) -> str:
    """The line without any private key in it. None is ever logged here; but a webhook that refuses a Secret may quote it in its
    answer, and that is.
    """
    return _ENCODED_KEY.sub("<private key>", _KEY.sub("<private key>", text))


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """What is said of the event beside its words."""
    return dict(getattr(record, "fields", {}))


def _word(value: Any) -> str:
    """A value without a space or a line break in it."""
    text = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return text if text.isprintable() and " " not in text else json.dumps(text)


class Text(logging.Formatter):
    """For people at a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        named = getattr(record, "object", None)
        fields = "".join(f" {name}={_word(value)}" for name, value in _fields(record).items())
        text = f"{record.levelname[0]} {record.getMessage()}" + (f"  [{named}]" if named else "") + fields
        return without_keys(text + ("\n" + self.formatException(record.exc_info) if record.exc_info else ""))


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of a verb that runs until it is stopped."""
    parser.add_argument("--log-format", choices=("json", "text"), default="json")
    parser.add_argument("-v", "--verbose", action="store_true", help="log more")


def configure(*, json_lines: bool, verbose: bool) -> None:
    """Log to standard error; Kopf only what is a warning."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if json_lines else Text())
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, handlers=[handler], force=True)
    for name in ("kopf", "asyncio", "aiohttp"):
        logging.getLogger(name).setLevel(logging.WARNING)
