"""Structured logs: one line an event, naming the object that it is about, and no key in any of them."""

import base64
import json
import logging

import pytest

from doorward.cli import logs
from doorward.pki.keys import SecretBytes

KEY = "key-that-nobody-may-read"


@pytest.fixture(autouse=True)
def as_before():
    """Logging is the process's own: put back what a test configured."""
    root = logging.getLogger()
    levels = {name: logging.getLogger(name).level for name in ("kopf", "asyncio", "aiohttp")}
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


def record(message="it happened", *arguments, error=None, **extra):
    info = (type(error), error, error.__traceback__) if error else None
    made = logging.LogRecord("doorward.test", logging.WARNING, __file__, 1, message, arguments, info)
    made.created = 1_788_264_000.5
    vars(made).update(extra)
    return made


def raised(message):
    try:
        raise ValueError(message)
    except ValueError as error:
        return error


def test_a_line_says_when_how_grave_who_and_what():
    assert json.loads(logs.JsonLines().format(record("%d of %s", 3, "them"))) == {
        "time": "2026-09-01T12:00:00.500+00:00",
        "level": "warning",
        "logger": "doorward.test",
        "message": "3 of them",
    }


def test_a_line_names_the_object_that_it_is_about():
    line = json.loads(logs.JsonLines().format(record(object="ClientCertificate edge/alice")))
    assert line["object"] == "ClientCertificate edge/alice"


@pytest.mark.parametrize(
    "message",
    [
        pytest.param("one\ntwo", id="a line break"),
        pytest.param('a "quoted" \\ word', id="quotes and a backslash"),
        pytest.param('"}\n{"level": "info"', id="what would be a line of its own"),
        pytest.param("\x1b[31mred\x00", id="control characters"),
        pytest.param("two\u2028lines", id="a line separator"),
        pytest.param("ключ 🔑", id="letters beyond ASCII"),
    ],
)
def test_an_event_is_one_line_of_json_with(message):
    text = logs.JsonLines().format(record(message))
    assert text.count("\n") == 0
    assert json.loads(text)["message"] == message


def test_a_traceback_stays_within_its_line():
    text = logs.JsonLines().format(record(error=raised("no such thing")))
    assert text.count("\n") == 0
    assert json.loads(text)["exception"].endswith("ValueError: no such thing")


@pytest.mark.parametrize("formatter", [logs.JsonLines(), logs.Text()], ids=["as JSON", "as text"])
@pytest.mark.promise(5)
def test_a_key_that_is_handed_to_a_log_is_not_written(formatter):
    secret = SecretBytes(KEY.encode())
    text = formatter.format(record("made %s and %r", secret, secret, error=raised(f"{secret}"), object=secret))
    assert KEY not in text


@pytest.mark.parametrize(
    ("made", "text"),
    [
        pytest.param(record("it happened"), "W it happened", id="no object"),
        pytest.param(record(object="issuer edge/partners"), "W it happened  [issuer edge/partners]", id="an object"),
    ],
)
def test_a_person_reads_of(made, text):
    assert logs.Text().format(made) == text


def test_a_person_reads_the_traceback_below():
    lines = logs.Text().format(record(error=raised("no such thing"))).splitlines()
    assert (lines[0], lines[1], lines[-1]) == (
        "W it happened",
        "Traceback (most recent call last):",
        "ValueError: no such thing",
    )


@pytest.mark.parametrize(
    ("verbose", "written"),
    [pytest.param(False, ["info"], id="without -v"), pytest.param(True, ["debug", "info"], id="with -v")],
)
def test_the_log_goes_to_standard_error_as_one_line_an_event(verbose, written, capsys):
    logs.configure(json_lines=True, verbose=verbose)
    for level in (logging.DEBUG, logging.INFO):
        logging.getLogger("doorward.test").log(level, "it happened")
    out, err = capsys.readouterr()
    assert out == ""
    assert [json.loads(line)["level"] for line in err.splitlines()] == written


@pytest.mark.parametrize("name", ["kopf", "kopf.objects", "asyncio", "aiohttp.access"])
def test_what_others_say_is_written_from_a_warning_on(name, capsys):
    logs.configure(json_lines=True, verbose=True)
    logging.getLogger(name).info("every object that was seen")
    logging.getLogger(name).warning("a watch broke")
    assert [json.loads(line)["message"] for line in capsys.readouterr().err.splitlines()] == ["a watch broke"]


def test_text_is_written_when_it_is_asked_for(capsys):
    logs.configure(json_lines=False, verbose=False)
    logging.getLogger("doorward.test").info("it happened", extra={"object": "edge/alice"})
    assert capsys.readouterr().err == "I it happened  [edge/alice]\n"


# Fields


def test_fields_stand_beside_the_words():
    line = json.loads(
        logs.JsonLines().format(
            record("gate written", object="issuer edge/partners", fields={"number": 7, "clients": ["a"]})
        )
    )
    assert (line["message"], line["number"], line["clients"]) == ("gate written", 7, ["a"])


def test_a_field_takes_the_place_of_nothing():
    line = json.loads(
        logs.JsonLines().format(record("it happened", fields={"message": "x", "level": "y", "time": "z"}))
    )
    assert (line["message"], line["level"]) == ("it happened", "warning")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param("edge/alice", "edge/alice", id="a name"),
        pytest.param(7, "7", id="a number"),
        pytest.param(["a", "b"], "a,b", id="several"),
        pytest.param("two words", '"two words"', id="words"),
        pytest.param("one\ntwo", '"one\\ntwo"', id="a line break"),
    ],
)
def test_a_person_reads_fields_in_one_line(value, text):
    assert logs.Text().format(record("it happened", fields={"name": value})) == f"W it happened name={text}"


KEYS = {
    label: f"-----BEGIN {label}-----\n{'QUJD' * 20}\n-----END {label}-----\n"
    for label in ("PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY")
}


@pytest.mark.promise(5)
@pytest.mark.parametrize("formatter", [logs.JsonLines(), logs.Text()], ids=["as JSON", "as text"])
@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
@pytest.mark.parametrize("part", [slice(None), slice(0, 80)], ids=["a key", "half a key"])
def test_a_key_that_a_webhook_quotes_in_its_answer_is_not_written(formatter, key, part):
    encoded = base64.b64encode(key.encode()).decode()
    for quoted in (key[part], encoded[part]):
        text = formatter.format(record("%s", f"refused: {quoted} is no good", fields={"error": f"refused: {quoted}"}))
        assert ("QUJD" in text, encoded[40:60] in text) == (False, False)
        assert "<private key>" in text
