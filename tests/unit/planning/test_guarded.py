"""When the ConfigMap of guarded Services is written, and what an issuer says of it."""

import pytest

from doorward.objects.meta import ObjectKey
from doorward.planning.guarded import Found, GuardedObserved, conditions, plan, reason_of
from doorward.planning.observed import Exempt, Unseen
from doorward.planning.plan import DeleteGuarded, Plan, WriteGuarded

APP = {"app": ["web"]}


def found(data=None, *, immutable=False, deleting=False):
    return Found(version="7", data=data, immutable=immutable, deleting=deleting)


def planned(guarded, there):
    return plan(GuardedObserved(namespace="edge", guarded=guarded, found=there))


WRITE, DELETE = WriteGuarded(data={"app": "web"}, version="7"), DeleteGuarded(version="7")


@pytest.mark.parametrize(
    ("guarded", "there", "action"),
    [
        pytest.param(APP, Unseen.ABSENT, WriteGuarded(data={"app": "web"}, version=None), id="the first gate"),
        pytest.param(APP, found({"app": "web"}), None, id="nothing differs"),
        pytest.param(APP, found({"app": "web", "own": "web"}), WRITE, id="one Service too many"),
        pytest.param(APP, found({}), WRITE, id="edited by hand"),
        pytest.param(APP, found(None), WRITE, id="not as it is written"),
        pytest.param(APP, found(None, immutable=True), DELETE, id="planted, and immutable"),
        pytest.param(APP, found(None, immutable=True, deleting=True), None, id="the same, on its way out"),
        pytest.param({}, found({"app": "web"}), DELETE, id="the last gate is gone"),
        pytest.param({}, found(None), DELETE, id="the last gate is gone, and it is not as it is written"),
        pytest.param({}, found({"app": "web"}, deleting=True), None, id="it is on its way out"),
        pytest.param({}, found({}), None, id="it could only be emptied"),
        pytest.param({}, Unseen.ABSENT, None, id="no gate ever"),
        pytest.param(Unseen.UNKNOWN, found({"app": "web"}), None, id="targets were not heard of"),
        pytest.param({}, Unseen.UNKNOWN, None, id="the namespace was not listed"),
        pytest.param(APP, Unseen.DENIED, None, id="the namespace has not opted in"),
    ],
)
def test_it_is_written_only_where_something_differs(guarded, there, action):
    assert planned(guarded, there) == Plan(actions=() if action is None else (action,))


def exempt(number, reason="status page"):
    return Exempt(key=ObjectKey("edge", f"open-{number}"), service="app", reason=reason)


def test_an_issuer_says_nothing_while_all_is_as_it_should_be():
    assert list(conditions((), ())) == []


def test_an_issuer_names_the_exceptions_and_their_reasons():
    [said] = conditions((), [exempt(number) for number in range(5)])
    assert (said.type, said.reason.status, said.reason.name) == ("ServicesGuarded", "False", "ServicesUnprotected")
    assert 'Ingress edge/open-0 serves Service app ("status page")' in said.message
    assert "open-2" in said.message
    assert "open-3" not in said.message
    assert " and 2 more" in said.message


def test_what_cannot_be_written_goes_before_the_exceptions():
    [said] = conditions(["namespace edge: exceeded quota"], [exempt(1)])
    assert (said.reason.name, "namespace edge: exceeded quota" in said.message) == ("ServicesNotGuarded", True)
    [said] = conditions(["x" * 10_000] * 40, [])
    assert len(said.message) < 1000


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("status page", "status page"),
        ("", ""),
        (" \n\t ", ""),
        ("two\nlines\x00\x1b[31m", "two lines [31m"),
        ("a" * 300_000, "a" * 97 + "..."),
        (" " * 300_000 + "a", ""),
        ("\u202eevil", "evil"),
    ],
    ids=[
        "words",
        "nothing",
        "white space",
        "lines and control characters",
        "too long",
        "far away",
        "another direction",
    ],
)
def test_a_reason_is_one_short_line(text, reason):
    assert reason_of(text) == reason


@pytest.mark.parametrize("found", [Unseen.UNKNOWN, Unseen.DENIED])
def test_nothing_is_written_where_it_is_not_known_what_is_there(found):
    observed = GuardedObserved(namespace="edge", guarded={"app": ["web"]}, found=found)
    assert plan(observed).actions == ()
