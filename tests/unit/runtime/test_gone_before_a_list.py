"""What the operator creates, and somebody deletes before the answer is heard, is not taken for what is there.

The watch broke in between, so nobody tells of the deletion: the next list lacks the object, and comes in before the answer.
"""

import asyncio

import pytest

from doorward.cluster.gateway import CONFIG_MAP, ISSUED_CERTIFICATE, SECRET
from doorward.objects.guarded_services import NAME as GUARDED
from doorward.objects.meta import key_of
from tests.support import promises
from tests.support.operator_bed import PEOPLE
from tests.unit.runtime.looks import CRL, GATE, said, serial

LATE = 1.0
"""Seconds that the answer takes; a watch that broke lists again after 0.2."""


class DeletedBeforeTheAnswer:
    """Once: deletes the object of that kind whose name begins so, as soon as the operator has created it."""

    def __init__(self, bed, monkeypatch, kind, prefix):
        self.done = False
        create, answered = bed.cluster.create, bed.gateway.create

        def made(of_kind, namespace, body, manager, **options):
            made = create(of_kind, namespace, body, manager, **options)
            if (of_kind, manager) == (kind, "doorward") and key_of(made).name.startswith(prefix) and not self.done:
                self.done = True
                bed.cluster.delete(kind, key_of(made), PEOPLE)
                bed.cluster.compact()
                bed.gateway.end_watches()
            return made

        async def late(*arguments, **options):
            before = self.done
            answer = await answered(*arguments, **options)
            if self.done is not before:
                await asyncio.sleep(LATE)
            return answer

        monkeypatch.setattr(bed.cluster, "create", made)
        monkeypatch.setattr(bed.gateway, "create", late)


def issue(bed):
    bed.apply("bob")


def lose(kind, name):
    def act(bed):
        bed.delete(kind, name)

    return act


@pytest.mark.promise(7)
@pytest.mark.parametrize(
    ("kind", "prefix", "act"),
    [
        pytest.param(SECRET, "bob-mtls", issue, id="the Secret of a client"),
        pytest.param(ISSUED_CERTIFICATE, "", issue, id="a record"),
        pytest.param(CONFIG_MAP, CRL, lose(CONFIG_MAP, CRL), id="the CRL"),
        pytest.param(SECRET, GATE, lose(SECRET, GATE), id="a gate"),
        pytest.param(CONFIG_MAP, GUARDED, lose(CONFIG_MAP, GUARDED), id="the guarded Services"),
    ],
)
def test_the_operator_does_not_believe_in_what_was_deleted_before_the_answer(bed, monkeypatch, kind, prefix, act):
    bed.apply("alice")
    bed.settle()
    lost = DeletedBeforeTheAnswer(bed, monkeypatch, kind, prefix)
    act(bed)
    bed.settle()
    bed.advance(120)  # a Secret that a person deleted is waited for
    assert lost.done
    view = bed.operator.view
    stores = {SECRET: view.secrets, CONFIG_MAP: view.configmaps, ISSUED_CERTIFICATE: view.ledger.store}
    for each, store in stores.items():
        assert set(store.keys()) == {key_of(body) for body in bed.cluster.all(each)}
    assert None not in (bed.find(CONFIG_MAP, CRL), bed.find(SECRET, GATE), bed.find(CONFIG_MAP, GUARDED))
    assert said(bed, "alice") == {"Ready": "Issued", "Admitted": "Live"}
    assert serial(bed, "alice") in promises.live_serials(bed.cluster, bed.cluster.now())
