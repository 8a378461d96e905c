"""The guards of a commit: what changes in the cluster between its steps, and must stop it. None can be left out."""

from dataclasses import replace

import pytest

from doorward.cluster.errors import Conflict
from doorward.cluster.gateway import CONFIG_MAP, ISSUED_CERTIFICATE
from doorward.issuers import publish
from doorward.pki.pem import CrlForeign
from doorward.planning import timing
from tests.unit import given
from tests.unit.given import HOUR, NOW, SECOND
from tests.unit.issuers.bed import AT, HELD, LIFTED, ONE, TWO, held, signed, trust


async def conflict(bed, *generations, says, **override):
    """Nothing is written, and the plan is made again."""
    before = bed.cluster.find(CONFIG_MAP, AT)
    with pytest.raises(Conflict, match=says):
        await bed.commit(*generations, **override)
    assert bed.cluster.find(CONFIG_MAP, AT) == before


# Guard: whose ConfigMap it is


async def test_a_configmap_that_is_not_ours_is_left_alone(bed):
    body = {"metadata": {"name": AT.name}, "data": {"ca.crl": "mine"}}
    bed.view.configmaps.put(bed.cluster.create(CONFIG_MAP, AT.namespace, body, "kubectl"))
    await bed.commit()
    assert bed.memory.configmap_unmanaged
    assert bed.gateway.writes == []


async def test_a_configmap_that_turns_out_not_to_be_ours_is_left_alone(bed):
    body = {"metadata": {"name": AT.name}, "data": {"ca.crl": "mine"}}
    bed.cluster.create(CONFIG_MAP, AT.namespace, body, "kubectl")
    await bed.commit()
    assert bed.memory.configmap_unmanaged
    assert bed.cluster.find(CONFIG_MAP, AT)["data"] == {"ca.crl": "mine"}


# Guard: the CA generations


async def test_a_key_that_is_gone_signs_nothing(bed):
    await conflict(bed, 1, 2, says="CA generation 2 of issuers/partners is not usable")


async def test_a_bundle_of_other_generations_than_were_looked_at_is_planned_again(bed):
    bed.publish({1: signed(1)})
    bed.view.configmaps.put(bed.put({1: signed(1), 2: signed(2)}))
    await conflict(bed, says="the CA generations changed")


async def test_a_bundle_that_was_not_looked_at_is_planned_again(bed):
    bed.view.configmaps.put(bed.put({1: signed(1)}))
    await conflict(bed, says="the CA generations changed")


async def test_a_bundle_of_other_generations_that_won_the_race_is_planned_again_and_known(published):
    published.gateway.before["replace", CONFIG_MAP] = lambda: published.put({1: signed(1), 2: signed(2)})
    with pytest.raises(Conflict, match="the CA generations changed"):
        await published.commit()
    assert published.view.configmaps.get(AT) == published.cluster.find(CONFIG_MAP, AT)
    assert sorted(published.crls()) == [1, 2]


# Guard: what a gate would make of it


async def test_a_crl_that_does_not_fit_the_anchor_beside_it_is_not_published(bed):
    (loaded,) = held(1).values()
    bed.remember(held={1: replace(loaded, signer=replace(loaded.signer, anchor=given.ca(102).anchor))})
    with pytest.raises(CrlForeign, match="was not signed by this CA"):
        await bed.commit()
    assert bed.gateway.writes == []


# Guard: CRLs of generations whose keys are missing


@pytest.fixture
def retaining(bed):
    """Generation 1 is published, and its key is missing; generation 2 signs."""
    bed.remember(held=held(2))
    bed.publish({1: signed(1, given.entry(1)), 2: signed(2)})
    return bed


RETAINED = {"retained": frozenset({1})}


async def test_anchor_and_crl_of_a_missing_key_stay_as_they_are(retaining):
    before = retaining.crls()[1]
    await retaining.commit(2, **RETAINED)
    assert retaining.crls()[1] == before
    assert sorted(retaining.memory.published.anchors) == [1, 2]
    assert retaining.crls()[2].number > 5


async def test_a_number_is_above_that_of_a_missing_key(retaining):
    body = retaining.put({1: signed(1, number=1 << 62), 2: signed(2)})
    retaining.view.configmaps.put(body)
    await retaining.commit(2, **RETAINED)
    assert retaining.crls()[2].number == (1 << 62) + 1


@pytest.mark.promise(1)
@pytest.mark.parametrize("seen", [True, False], ids=["this process saw an older one", "this process saw none"])
async def test_the_crl_of_a_missing_key_is_the_one_of_another_process_that_has_the_key(retaining, seen):
    if seen:
        retaining.remember(newest_crls={trust({1: signed(1)}).anchors[1].identity: signed(1, number=4)})
    newer = signed(1, given.entry(1), given.entry(7), number=6)
    retaining.gateway.before["replace", CONFIG_MAP] = lambda: retaining.put({1: newer, 2: signed(2)})
    await retaining.commit(2, **RETAINED)
    assert retaining.listed(1) == [1, 7]


@pytest.mark.promise(1)
async def test_the_crl_of_a_missing_key_is_the_newest_that_this_process_saw(retaining):
    newer = signed(1, given.entry(1), given.entry(7), number=6)
    retaining.remember(newest_crls={trust({1: newer}).anchors[1].identity: newer})
    await retaining.commit(2, **RETAINED)
    assert retaining.listed(1) == [1, 7]


async def test_a_missing_key_whose_anchor_is_not_known_is_planned_again(bed):
    bed.remember(held=held(2))
    await conflict(bed, 2, **RETAINED, says="the anchor of CA generation 1")


async def test_a_missing_key_whose_crl_is_gone_is_planned_again(retaining):
    def taken_out():
        retaining.cluster.delete(CONFIG_MAP, AT, "kubectl")

    retaining.gateway.before["replace", CONFIG_MAP] = taken_out
    with pytest.raises(Conflict, match="the CRL of CA generation 1 disappeared"):
        await retaining.commit(2, **RETAINED)
    assert retaining.crls() == {}


# Guard: the clock


@pytest.mark.parametrize("off", [timing.MAX_SKEW + SECOND, -timing.MAX_SKEW - SECOND])
async def test_a_clock_that_is_set_while_others_are_asked_stops_it(lifted, off):
    lifted.gateway.before["get", ISSUED_CERTIFICATE] = lambda: lifted.clock.set(NOW + off)
    await conflict(lifted, says="the clock was set")


@pytest.mark.parametrize("off", [timing.MAX_SKEW, -timing.MAX_SKEW])
async def test_a_clock_that_runs_a_little_off_does_not(published, off):
    published.clock.set(NOW + off)
    await published.commit()
    assert published.crls()[1].this_update == NOW - HOUR


# Guard: a serial leaves by the API server's own word


@pytest.mark.promise(1)
async def test_a_serial_that_is_lifted_leaves(lifted):
    await lifted.commit()
    assert lifted.listed() == []
    assert lifted.asked() == ["get IssuedCertificate"]


@pytest.mark.promise(1)
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda bed: bed.record(HELD, told=False), id="is held again"),
        pytest.param(lambda bed: bed.cluster.delete(ISSUED_CERTIFICATE, LIFTED.key, "kubectl"), id="is gone"),
    ],
)
@pytest.mark.parametrize("when", ["before", "while others are asked"])
async def test_a_serial_stays_whose_record(lifted, change, when):
    if when == "before":
        change(lifted)
    else:
        lifted.gateway.before["get", ISSUED_CERTIFICATE] = lambda: change(lifted)
    await conflict(lifted, says="is lifted no longer")


@pytest.mark.promise(1)
async def test_a_serial_that_is_lifted_while_others_are_asked_waits_for_that_word(published):
    """Two races: the first try asks nobody, since nothing is lifted when it begins."""
    body = published.cluster.find(CONFIG_MAP, AT)

    def lift():
        published.record(LIFTED)
        published.cluster.replace(CONFIG_MAP, AT, body | {"data": body["data"] | {"note": ""}}, "kubectl")

    published.record(HELD)
    published.gateway.before["replace", CONFIG_MAP] = lift
    published.gateway.before["get", ISSUED_CERTIFICATE] = lambda: published.record(HELD, told=False)
    with pytest.raises(Conflict, match="is lifted no longer"):
        await published.commit()
    assert published.listed() == [1]


@pytest.mark.promise(1)
async def test_a_serial_that_is_lifted_after_the_ledger_was_asked_for_waits(bed):
    """The gates are asked first, then the ledger; what is heard in between is newer than the list."""
    bed.record(HELD)
    bed.record(replace(LIFTED, serial=2, key=given.record(2).key))
    bed.publish({1: signed(1, given.entry(1, "certificateHold"), given.entry(2, "certificateHold"))})
    asked = publish.ledger.asked

    async def then_lifted(*arguments):
        found = await asked(*arguments)
        bed.record(LIFTED)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publish.ledger, "asked", then_lifted)
        await conflict(bed, says="is lifted no longer")


async def test_a_record_that_cannot_be_read_any_more_takes_back_no_word(lifted):
    lifted.cluster.merge_patch(ISSUED_CERTIFICATE, LIFTED.key, {"spec": {"notAfter": "junk"}}, "kubectl", "")
    await lifted.commit()
    assert lifted.listed() == []


# Guard: the ledger is heard to its end where it alone says who is refused


@pytest.mark.promise(1)
async def test_a_record_that_was_not_heard_of_stops_the_first_crl(bed):
    bed.record(ONE, told=False)
    await conflict(bed, says="is not heard to its end")


@pytest.mark.promise(1)
async def test_a_record_whose_revocation_was_not_heard_of_stops_the_first_crl(bed):
    bed.record(given.record(1))
    bed.record(ONE, told=False)
    await conflict(bed, says="is not heard to its end")


async def test_a_ledger_that_is_ahead_of_the_list_stops_nothing(bed):
    bed.record(given.record(1))
    bed.record(ONE)
    listed = publish.ledger.listed

    async def then_more(*arguments):
        found = await listed(*arguments)
        bed.record(TWO)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publish.ledger, "listed", then_more)
        await bed.commit()
    assert bed.listed() == [1, 2]


async def test_a_record_that_cannot_be_read_stops_nothing(bed):
    bed.record(ONE, told=False)
    bed.cluster.merge_patch(ISSUED_CERTIFICATE, ONE.key, {"spec": {"notAfter": "junk"}}, "kubectl", "")
    await bed.commit()
    assert bed.listed() == []


async def test_a_watch_that_is_behind_stops_no_crl_that_builds_on_a_published_one(published):
    published.record(TWO, told=False)
    await published.commit()
    assert published.listed() == [1]


async def test_a_generation_that_is_not_published_yet_waits_for_the_ledger(published):
    published.remember(held=held(1, 2))
    published.look_at(published.cluster.find(CONFIG_MAP, AT), published.memory.published)
    published.record(TWO, told=False)
    await conflict(published, 1, 2, says="is not heard to its end")
