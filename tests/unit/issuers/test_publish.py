"""The commit of a CRL: what it says, what it must not forget, and what comes of a race."""

import json
from dataclasses import replace

import pytest

from doorward.api.conditions import said
from doorward.cluster.errors import Conflict, Forbidden, Transient
from doorward.cluster.gateway import CONFIG_MAP, ISSUED_CERTIFICATE, SECRET
from doorward.issuers import crl_story, publish
from doorward.issuers.observe import _verify
from doorward.objects import crl_configmap, trust_bundle
from doorward.objects.meta import gate_secret_name
from doorward.pki.pem import CrlRefused
from doorward.planning import room
from tests.unit import given
from tests.unit.given import HOUR, ISSUER, NOW
from tests.unit.issuers.bed import AT, CAS, ONE, SHOP, TWO, held, signed, terms, trust

# What is committed


async def test_a_first_crl_is_created(bed):
    bed.record(ONE)
    bed.record(given.record(3))
    await bed.commit()
    assert bed.listed() == [1]
    (crl,) = bed.crls().values()
    assert (crl.this_update, crl.next_update) == (NOW - HOUR, NOW + 7 * given.DAY)
    assert crl.number == int(NOW.timestamp() * 1000)
    assert bed.crls()[1].entries == {1: given.entry(1)}


async def test_the_next_one_replaces_it(published):
    published.record(TWO)
    await published.commit()
    assert published.listed() == [1, 2]
    assert [write.verb for write in published.gateway.writes] == ["replace"]


async def test_the_number_has_the_precise_time(published):
    published.clock.advance(seconds=0.25)
    await published.commit()
    assert published.crls()[1].number == int(NOW.timestamp() * 1000) + 250


async def test_each_generation_has_an_anchor_and_a_crl(bed):
    bed.remember(held=held(1, 2))
    await bed.commit(1, 2)
    body = bed.cluster.find(CONFIG_MAP, AT)
    bundle = crl_configmap.parse_configmap(body)
    assert bundle == trust_bundle.bundle_of(trust(bed.crls()).anchors, bed.crls())
    assert sorted(bundle.generations) == [1, 2]


async def test_what_is_committed_is_known_as_if_it_had_been_read(bed, caplog):
    bed.record(ONE)
    bed.remember(overflow={1: 7})
    with caplog.at_level("INFO"):
        await bed.commit()
    body = bed.cluster.find(CONFIG_MAP, AT)
    memory = bed.memory
    assert memory.committed == _verify(body, memory, frozenset({1}), AT.name)
    assert memory.overflow == {}
    assert [crl.entries.keys() for crl in memory.newest_crls.values()] == [{1}]
    assert bed.view.configmaps.get(AT) == body
    published, entered = [record for record in caplog.records if record.name == crl_story.__name__]
    number = memory.published.number
    assert (published.getMessage(), published.object) == ("crl published", "MTLSIssuer issuers/partners")
    assert published.fields == {"issuer": "issuers/partners", "number": number, "entries": 1}
    assert entered.getMessage() == "serial entered the crl"
    assert (entered.fields["client"], entered.fields["serial"], entered.fields["number"]) == (
        str(ONE.holder),
        "1",
        number,
    )


async def test_its_own_write_does_not_wake_the_issuer(bed):
    await bed.commit()
    assert len(bed.queue) == 0


# The snapshot


async def test_what_is_heard_while_others_are_asked_is_in_the_crl(lifted):
    lifted.gateway.before["get", ISSUED_CERTIFICATE] = lambda: lifted.record(TWO)
    await lifted.commit()
    assert lifted.listed() == [2]


async def test_the_thread_sees_nothing_of_what_is_heard_later(published, monkeypatch):
    build = publish.build_crl

    def meanwhile(**arguments):
        published.record(TWO)
        return build(**arguments)

    monkeypatch.setattr(publish, "build_crl", meanwhile)
    monkeypatch.setattr(publish.crl, "decide", _and_then(publish.crl.decide, lambda: published.record(TWO)))
    await published.commit()
    assert published.listed() == [1]


def _and_then(function, happens):
    def both(*arguments):
        happens()
        return function(*arguments)

    return both


async def test_a_lifted_serial_of_a_client_that_is_out_stays(lifted, monkeypatch):
    monkeypatch.setattr(lifted.view, "pending_again", lambda _issuer, serials, _now: frozenset({1}) & serials)
    await lifted.commit()
    assert lifted.listed() == [1]


async def test_a_serial_whose_record_is_gone_stays(bed):
    bed.publish({1: signed(1, given.entry(9))})
    await bed.commit()
    assert bed.listed() == [9]


async def test_a_serial_that_expired_long_ago_leaves(bed):
    bed.record(given.expired(1, since=8 * given.DAY))
    bed.publish({1: signed(1, given.entry(1))})
    await bed.commit()
    assert bed.listed() == []


# What a CRL must not forget


async def test_what_this_process_saw_last_is_kept(published):
    newest = signed(1, given.entry(8), number=1 << 62)
    key = next(iter(held(1).values())).authority.identity
    published.remember(newest_crls={key: newest})
    await published.commit()
    assert published.listed() == [1, 8]
    assert published.crls()[1].number == (1 << 62) + 1


@pytest.mark.parametrize("number", [6, 1 << 62])
async def test_a_number_is_above_those_of_generations_that_left(published, number):
    published.remember(newest_crls={"a key that is gone": signed(2, number=number)})
    await published.commit()
    assert published.crls()[1].number > number


async def test_a_number_is_above_those_of_every_generation_that_is_published(bed):
    bed.remember(held=held(1, 2))
    bed.publish({1: signed(1), 2: signed(2, number=1 << 62)})
    await bed.commit(1, 2)
    assert {crl.number for crl in bed.crls().values()} == {(1 << 62) + 1}


async def test_the_gates_are_asked_where_nothing_is_published(bed):
    bed.gate({1: signed(1, given.entry(9), number=1 << 62)})
    await bed.commit()
    assert bed.listed() == [9]
    assert bed.crls()[1].number == (1 << 62) + 1
    assert bed.asked() == ["get Secret", "list IssuedCertificate"]


async def test_the_gates_are_asked_for_the_generation_that_is_not_published(bed):
    bed.remember(held=held(1, 2))
    bed.publish({1: signed(1)})
    bed.gate({1: signed(1, given.entry(8)), 2: signed(2, given.entry(9))})
    await bed.commit(1, 2)
    assert (bed.listed(1), bed.listed(2)) == ([], [9])


async def test_nobody_is_asked_where_all_is_published_and_nothing_lifted(published):
    published.gate({1: signed(1, given.entry(9))})
    published.record(given.record(5, revocation=given.own_hold(lifted=True)))
    await published.commit()
    assert published.asked() == []


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda bed: bed.cluster.delete(SECRET, _gate_at(), "kubectl"), id="is gone"),
        pytest.param(lambda _: None, id="cannot be read"),
    ],
)
async def test_a_gate_that(bed, spoil):
    bed.gate({1: signed(1)}, **{"ca.crl": "no base64!"})
    spoil(bed)
    await bed.commit()
    assert bed.listed() == []


def _gate_at():
    return AT._replace(namespace=SHOP, name=gate_secret_name(ISSUER))


@pytest.mark.promise(4)
@pytest.mark.parametrize("opted_in", [True, None, False])
@pytest.mark.parametrize("error", [Forbidden("no", status=403), Transient("cannot be decrypted", status=500)])
async def test_a_gate_that_cannot_be_read_holds_nobody_up(bed, opted_in, error):
    bed.gate({1: signed(1)})
    bed.view.opted_in[SHOP] = opted_in
    bed.gateway.refuse_reads = lambda kind, _: error if kind == SECRET else None
    await bed.commit()
    assert bed.listed() == []


@pytest.mark.promise(1)
async def test_a_gate_that_cannot_be_read_at_first_is_asked_once_more(bed):
    bed.gate({1: signed(1, given.entry(9))})
    errors = [Transient("busy", status=500)]
    bed.gateway.refuse_reads = lambda kind, _: errors.pop() if kind == SECRET and errors else None
    await bed.commit()
    assert bed.listed() == [9]


# What was verified before


async def test_a_bundle_that_was_looked_at_is_not_parsed_again(published, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(trust_bundle, "crls_of", None)
        await published.commit()
    assert published.listed() == [1]


@pytest.mark.promise(1)
@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"published": trust({1: signed(1)}, sound=False)}, id="something else stands in it"),
        pytest.param({"cas": frozenset({(1, "another")})}, id="another CA is held now"),
        pytest.param({"published": said("NotPublished", configmap=AT.name, detail="")}, id="it was no good then"),
    ],
)
async def test_a_bundle_is_parsed_again_where(published, change):
    published.remember(committed=replace(published.memory.committed, **change))
    await published.commit()
    assert published.listed() == [1]


@pytest.mark.promise(1)
async def test_a_bundle_that_changed_since_is_parsed(published):
    published.view.configmaps.put(published.put({1: signed(1, given.entry(1), given.entry(7), number=6)}))
    await published.commit()
    assert published.listed() == [1, 7]


# The room


async def test_what_does_not_fit_is_remembered_and_neither_signed_nor_written(published, monkeypatch):
    monkeypatch.setattr(room, "ROOM", 100)
    monkeypatch.setattr(publish, "build_crl", None)
    await published.commit(entries={1: 3})
    assert published.memory.overflow == {1: 3}
    assert published.gateway.writes == []


async def test_only_what_must_leave_is_remembered(published, monkeypatch):
    published.remember(held=held(1, 2))
    for number in range(2, 40):
        published.record(given.record(number, revocation=given.revocation()))
    monkeypatch.setattr(room, "ROOM", 4_500)
    await published.commit(1, 2, entries={1: 39, 2: 0})
    assert published.memory.overflow == {1: 39}
    assert published.gateway.writes == []


async def test_what_just_fits_is_written(published, monkeypatch):
    sizes = []
    monkeypatch.setattr(room, "size_of", _measured(room.size_of, sizes.append))
    await published.commit()
    published.clock.advance(seconds=1)
    monkeypatch.setattr(room, "ROOM", sizes[0])
    await published.commit()
    assert len(published.gateway.writes) == 2
    monkeypatch.setattr(room, "ROOM", sizes[0] - 1)
    await published.commit(entries={1: 1})
    assert (len(published.gateway.writes), published.memory.overflow) == (2, {1: 1})


def _measured(function, happens):
    def both(*arguments):
        result = function(*arguments)
        happens(result)
        return result

    return both


async def test_which_generations_were_closed_is_committed_with_the_bundle(published):
    await published.commit(closed={7: "a key"})
    body = published.cluster.find(CONFIG_MAP, AT)
    assert json.loads(body["metadata"]["annotations"]["doorward.io/ca-closed"]) == {"7": "a key"}
    await published.commit()
    body = published.cluster.find(CONFIG_MAP, AT)
    assert "doorward.io/ca-closed" not in body["metadata"]["annotations"]


async def test_a_generation_that_another_process_closed_is_planned_for_again(published):
    body = published.cluster.find(CONFIG_MAP, AT)
    body["metadata"]["annotations"]["doorward.io/ca-closed"] = '{"7": "a key"}'
    published.view.configmaps.put(published.cluster.replace(CONFIG_MAP, AT, body, "another"))
    with pytest.raises(Conflict):
        await published.commit()
    assert published.gateway.writes == []


# Read back as a stranger would


@pytest.mark.promise(1)
@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param({"entries": ()}, id="that forgets somebody"),
        pytest.param({"entries": (given.entry(1), given.entry(2))}, id="that names somebody else"),
        pytest.param({"number": 5}, id="with the number of the last"),
        pytest.param({"ca": CAS[2]}, id="that another CA signed"),
    ],
)
async def test_a_crl_is_not_written(published, monkeypatch, spoil):
    build = publish.build_crl
    monkeypatch.setattr(publish, "build_crl", lambda **arguments: build(**arguments | spoil))
    with pytest.raises(Exception, match=r"does not list|not above|not signed"):
        await published.commit()
    assert published.gateway.writes == []


@pytest.mark.promise(1)
async def test_a_crl_that_loses_somebody_by_a_wrong_decision_is_not_written(published, monkeypatch):
    decide = publish.crl.decide

    def forgetful(*arguments):
        return {g: replace(content, entries={}) for g, content in decide(*arguments).items()}

    monkeypatch.setattr(publish.crl, "decide", forgetful)
    with pytest.raises(CrlRefused, match="would be let in again"):
        await published.commit()


# Races


@pytest.mark.promise(1)
async def test_what_another_process_published_in_between_is_not_forgotten(published):
    other = signed(1, given.entry(1), given.entry(7), number=1 << 62)
    published.gateway.before["replace", CONFIG_MAP] = lambda: published.put({1: other})
    await published.commit()
    assert published.listed() == [1, 7]
    assert published.crls()[1].number > 1 << 62


@pytest.mark.promise(1)
async def test_what_another_process_created_in_between_is_not_forgotten(bed):
    bed.publish({1: signed(1)})
    bed.cluster.delete(CONFIG_MAP, AT, "kubectl")
    bed.view.configmaps.remove(AT, bed.view.configmaps.version(AT))
    bed.gateway.before["create", CONFIG_MAP] = lambda: bed.put({1: signed(1, given.entry(7))})
    await bed.commit()
    assert bed.listed() == [7]


@pytest.mark.promise(1)
async def test_a_configmap_that_is_deleted_in_between_is_made_again(published):
    published.gate({1: signed(1, given.entry(7))})
    published.gateway.before["replace", CONFIG_MAP] = lambda: published.cluster.delete(CONFIG_MAP, AT, "kubectl")
    await published.commit()
    assert published.listed() == [1, 7]


async def test_five_lost_races_are_enough(published):
    tries = []

    def lose():
        tries.append(1)
        published.put({1: signed(1, given.entry(1), number=5 + len(tries))})
        published.gateway.before["replace", CONFIG_MAP] = lose

    published.gateway.before["replace", CONFIG_MAP] = lose
    with pytest.raises(Conflict, match="changed 5 times"):
        await published.commit()
    assert len(tries) == 5


@pytest.mark.parametrize("error", [Transient("timeout"), Forbidden("no")])
async def test_any_other_answer_is_passed_on(published, error):
    published.gateway.refuse = lambda _: error
    with pytest.raises(type(error)):
        await published.commit()


def test_keys_are_in_no_repr(bed):
    assert "loaded" not in repr(publish._signing(ISSUER, terms(), bed.memory))
