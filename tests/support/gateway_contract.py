"""What every Gateway must do, the one in memory as well as the one over the API server.

A subclass in a test module has the fixtures `gateway` and `namespace`: the name of a namespace that is there and empty.
The kinds of `deploy/crds/` are installed, and the caller may do everything.
"""

import asyncio
from contextlib import aclosing

import pytest

from doorward.api.status import NOT_SEEN
from doorward.cluster.errors import AlreadyExists, Conflict, Invalid, NotFound
from doorward.cluster.gateway import (
    APPLY_PATCH,
    CLIENT_CERTIFICATE,
    CONFIG_MAP,
    INGRESS,
    SECRET,
    Gateway,
    Kind,
    Object,
    WatchEvent,
)
from tests.support.memory_cluster import merged

FINALIZER = "doorward.io/contract"
UID = "00000000-0000-4000-8000-000000000000"
"""Of no object."""
OURS = ("thing", "other", "before", "watched")
"""The names of all ConfigMaps that a test watches for."""
LABELLED = {"labels": {"app": "contract"}}
UNSEEN = {"observedGeneration": NOT_SEEN}
"""The status of a client that nobody has written one for: the CRD's default."""


def config_map(name: str = "thing", *, value: str = "1", **metadata: object) -> Object:
    return {"metadata": {"name": name, **metadata}, "data": {"value": value}}


def client(name: str = "alice", **metadata: object) -> Object:
    return {
        "apiVersion": CLIENT_CERTIFICATE.api_version,
        "kind": CLIENT_CERTIFICATE.name,
        "metadata": {"name": name, **metadata},
        "spec": {"issuerRef": {"name": "nobody"}, "commonName": "alice"},
    }


def ingress(**annotations: str) -> Object:
    backend = {"service": {"name": "shop", "port": {"number": 80}}}
    return {"metadata": {"name": "shop", "annotations": annotations}, "spec": {"defaultBackend": backend}}


async def heard(gateway: Gateway, namespace: str, version: str, count: int, **options: object) -> list[WatchEvent]:
    """The first `count` events after `version` of the ConfigMaps that these tests make: Kubernetes puts others there too."""
    events: list[WatchEvent] = []
    async with asyncio.timeout(60), aclosing(gateway.watch(CONFIG_MAP, namespace, version, **options)) as stream:
        async for event in stream:
            if event.type != "BOOKMARK" and event.object["metadata"]["name"] in OURS:
                events.append(event)
            if len(events) == count:
                return events
    raise AssertionError("the watch ended")


async def apply(
    gateway: Gateway, namespace: str, manager: str, *, force: bool, uid: str | None = None, **annotations: str
) -> Object:
    metadata = {"namespace": namespace, "name": "shop", "annotations": annotations}
    body = {
        "apiVersion": INGRESS.api_version,
        "kind": INGRESS.name,
        "metadata": metadata | ({"uid": uid} if uid is not None else {}),
    }
    query = {"fieldManager": manager} | ({"force": "true"} if force else {})
    return await gateway.patch(INGRESS, namespace, "shop", body, content_type=APPLY_PATCH, query=query)


def annotations_of(body: Object) -> dict[str, str]:
    return body["metadata"].get("annotations") or {}


class GatewayContract:
    async def test_what_is_created_can_be_read_and_has_what_a_server_gives(self, gateway, namespace):
        created = await gateway.create(CONFIG_MAP, namespace, config_map())
        read = await gateway.get(CONFIG_MAP, namespace, "thing")
        assert read["metadata"]["uid"] == created["metadata"]["uid"]
        assert (read["data"], read["metadata"]["namespace"]) == ({"value": "1"}, namespace)
        assert int(read["metadata"]["resourceVersion"]) > 0
        assert read["metadata"]["creationTimestamp"].endswith("Z")

    async def test_a_name_can_be_created_once(self, gateway, namespace):
        await gateway.create(CONFIG_MAP, namespace, config_map())
        with pytest.raises(AlreadyExists):
            await gateway.create(CONFIG_MAP, namespace, config_map())

    async def test_a_dry_run_answers_as_a_creation_would_and_stores_nothing(self, gateway, namespace):
        answer = await gateway.create(CONFIG_MAP, namespace, config_map(), dry_run=True)
        assert answer["metadata"]["name"] == config_map()["metadata"]["name"]
        await gateway.create(CONFIG_MAP, namespace, config_map())
        with pytest.raises(AlreadyExists):
            await gateway.create(CONFIG_MAP, namespace, config_map(), dry_run=True)
        with pytest.raises(NotFound):
            await gateway.create(CONFIG_MAP, "nowhere", config_map(), dry_run=True)

    async def test_a_dry_run_of_a_patch_answers_as_the_patch_would_and_stores_nothing(self, gateway, namespace):
        await gateway.create(CONFIG_MAP, namespace, config_map())
        patch = {"data": {"value": "2"}}
        answer = await gateway.patch(CONFIG_MAP, namespace, "thing", patch, query={"dryRun": "All"})
        assert answer["data"] == {"value": "2"}
        assert (await gateway.get(CONFIG_MAP, namespace, "thing"))["data"] == {"value": "1"}
        with pytest.raises(NotFound):
            await gateway.patch(CONFIG_MAP, namespace, "other", patch, query={"dryRun": "All"})

    async def test_nothing_is_created_in_a_namespace_that_is_not_there(self, gateway):
        with pytest.raises(NotFound):
            await gateway.create(CONFIG_MAP, "nowhere", config_map())

    async def test_the_server_makes_a_name_where_a_prefix_is_given(self, gateway, namespace):
        made = [await gateway.create(CONFIG_MAP, namespace, {"metadata": {"generateName": "thing-"}}) for _ in range(2)]
        names = {body["metadata"]["name"] for body in made}
        assert len(names) == 2
        assert all(name.startswith("thing-") for name in names)

    async def test_a_prefix_that_ends_with_a_dot_makes_no_name(self, gateway, namespace):
        with pytest.raises(Invalid):
            await gateway.create(CONFIG_MAP, namespace, {"metadata": {"generateName": "thing."}})

    @pytest.mark.parametrize("verb", ["get", "replace", "patch", "delete"])
    async def test_what_is_not_there_is_not_found(self, gateway, namespace, verb):
        body = (config_map(),) if verb in ("replace", "patch") else ()
        with pytest.raises(NotFound):
            await getattr(gateway, verb)(CONFIG_MAP, namespace, "thing", *body)

    async def test_a_replacement_of_another_version_conflicts_and_changes_nothing(self, gateway, namespace):
        stale = await gateway.create(CONFIG_MAP, namespace, config_map())
        await gateway.replace(CONFIG_MAP, namespace, "thing", config_map(value="2"))
        with pytest.raises(Conflict):
            await gateway.replace(CONFIG_MAP, namespace, "thing", merged(stale, {"data": {"value": "3"}}))
        assert (await gateway.get(CONFIG_MAP, namespace, "thing"))["data"] == {"value": "2"}

    async def test_a_replacement_of_the_same_version_replaces_all(self, gateway, namespace):
        seen = await gateway.create(CONFIG_MAP, namespace, config_map(**LABELLED))
        body = config_map(value="2", resourceVersion=seen["metadata"]["resourceVersion"])
        written = await gateway.replace(CONFIG_MAP, namespace, "thing", body)
        assert int(written["metadata"]["resourceVersion"]) > int(seen["metadata"]["resourceVersion"])
        assert (written["data"], written["metadata"].get("labels")) == ({"value": "2"}, None)

    async def test_a_write_that_changes_nothing_makes_no_version(self, gateway, namespace):
        seen = await gateway.create(CONFIG_MAP, namespace, config_map())
        replaced = await gateway.replace(CONFIG_MAP, namespace, "thing", config_map())
        patched = await gateway.patch(CONFIG_MAP, namespace, "thing", {"data": {"value": "1"}})
        versions = {body["metadata"]["resourceVersion"] for body in (seen, replaced, patched)}
        assert len(versions) == 1

    async def test_a_merge_patch_sets_and_takes_away(self, gateway, namespace):
        await gateway.create(CONFIG_MAP, namespace, config_map(**LABELLED))
        patch = {"metadata": {"labels": {"app": None, "tier": "1"}}, "data": {"other": "2"}}
        patched = await gateway.patch(CONFIG_MAP, namespace, "thing", patch)
        assert (patched["metadata"]["labels"], patched["data"]) == ({"tier": "1"}, {"value": "1", "other": "2"})

    async def test_a_patch_onto_another_version_conflicts(self, gateway, namespace):
        stale = await gateway.create(CONFIG_MAP, namespace, config_map())
        await gateway.replace(CONFIG_MAP, namespace, "thing", config_map(value="2"))
        version = {"resourceVersion": stale["metadata"]["resourceVersion"]}
        with pytest.raises(Conflict):
            await gateway.patch(CONFIG_MAP, namespace, "thing", {"metadata": version, "data": {"value": "3"}})

    # Status and generation

    async def test_a_status_is_written_by_its_subresource_alone(self, gateway, namespace):
        await gateway.create(CLIENT_CERTIFICATE, namespace, client())
        both = {"status": {"secretName": "x"}, "spec": {"commonName": "bob"}}
        await gateway.patch(CLIENT_CERTIFICATE, namespace, "alice", both, subresource="status")
        written = await gateway.get(CLIENT_CERTIFICATE, namespace, "alice")
        assert (written["status"], written["spec"]["commonName"]) == (UNSEEN | {"secretName": "x"}, "alice")

    async def test_a_status_of_another_version_conflicts_and_changes_nothing(self, gateway, namespace):
        stale = await gateway.create(CLIENT_CERTIFICATE, namespace, client())
        await gateway.patch(CLIENT_CERTIFICATE, namespace, "alice", {"metadata": LABELLED})
        version = {"resourceVersion": stale["metadata"]["resourceVersion"]}
        patch = {"metadata": version, "status": {"secretName": "x"}}
        with pytest.raises(Conflict):
            await gateway.patch(CLIENT_CERTIFICATE, namespace, "alice", patch, subresource="status")
        assert (await gateway.get(CLIENT_CERTIFICATE, namespace, "alice"))["status"] == UNSEEN

    async def test_a_status_is_written_whatever_uid_is_named(self, gateway, namespace):
        await gateway.create(CLIENT_CERTIFICATE, namespace, client())
        patch = {"metadata": {"uid": UID}, "status": {"secretName": "x"}}
        written = await gateway.patch(CLIENT_CERTIFICATE, namespace, "alice", patch, subresource="status")
        assert written["status"] == UNSEEN | {"secretName": "x"}

    async def test_a_status_of_the_same_version_is_written(self, gateway, namespace):
        seen = await gateway.create(CLIENT_CERTIFICATE, namespace, client())
        version = {"resourceVersion": seen["metadata"]["resourceVersion"]}
        patch = {"metadata": version, "status": {"secretName": "x"}}
        written = await gateway.patch(CLIENT_CERTIFICATE, namespace, "alice", patch, subresource="status")
        assert written["status"] == UNSEEN | {"secretName": "x"}

    async def test_a_spec_is_written_without_its_status(self, gateway, namespace):
        await gateway.create(CLIENT_CERTIFICATE, namespace, client() | {"status": {"secretName": "x"}})
        both = {"status": {"secretName": "x"}, "spec": {"commonName": "bob"}}
        written = await gateway.patch(CLIENT_CERTIFICATE, namespace, "alice", both)
        assert (written["status"], written["spec"]["commonName"]) == (UNSEEN, "bob")

    async def test_a_generation_counts_the_changes_of_a_spec(self, gateway, namespace):
        created = await gateway.create(CLIENT_CERTIFICATE, namespace, client())
        status = {"status": {"secretName": "x"}}
        told = await gateway.patch(CLIENT_CERTIFICATE, namespace, "alice", status, subresource="status")
        labelled = await gateway.patch(CLIENT_CERTIFICATE, namespace, "alice", {"metadata": LABELLED})
        edited = await gateway.patch(CLIENT_CERTIFICATE, namespace, "alice", {"spec": {"commonName": "bob"}})
        generations = [body["metadata"]["generation"] for body in (created, told, labelled, edited)]
        assert generations == [1, 1, 1, 2]

    # Deleting

    async def test_what_is_deleted_is_gone(self, gateway, namespace):
        await gateway.create(CONFIG_MAP, namespace, config_map())
        await gateway.delete(CONFIG_MAP, namespace, "thing")
        with pytest.raises(NotFound):
            await gateway.get(CONFIG_MAP, namespace, "thing")

    async def test_only_the_version_that_is_named_is_deleted(self, gateway, namespace):
        old = await gateway.create(CONFIG_MAP, namespace, config_map())
        new = await gateway.patch(CONFIG_MAP, namespace, "thing", {"metadata": LABELLED})
        with pytest.raises(Conflict):
            await gateway.delete(CONFIG_MAP, namespace, "thing", version=old["metadata"]["resourceVersion"])
        assert await gateway.get(CONFIG_MAP, namespace, "thing") == new
        await gateway.delete(CONFIG_MAP, namespace, "thing", version=new["metadata"]["resourceVersion"])
        with pytest.raises(NotFound):
            await gateway.get(CONFIG_MAP, namespace, "thing")

    async def test_only_the_object_that_is_named_is_deleted(self, gateway, namespace):
        old = await gateway.create(CONFIG_MAP, namespace, config_map())
        await gateway.delete(CONFIG_MAP, namespace, "thing")
        new = await gateway.create(CONFIG_MAP, namespace, config_map())
        with pytest.raises(Conflict):
            await gateway.delete(CONFIG_MAP, namespace, "thing", uid=old["metadata"]["uid"])
        assert await gateway.get(CONFIG_MAP, namespace, "thing") == new
        await gateway.delete(
            CONFIG_MAP,
            namespace,
            "thing",
            version=new["metadata"]["resourceVersion"],
            uid=new["metadata"]["uid"],
        )
        with pytest.raises(NotFound):
            await gateway.get(CONFIG_MAP, namespace, "thing")

    async def test_of_a_list_only_what_is_asked_for_is_collected(self, gateway, namespace):
        await gateway.create(CONFIG_MAP, namespace, config_map())
        _, listed = await gateway.list(CONFIG_MAP, namespace)
        names, version = await gateway.collect(lambda body: body["metadata"]["name"], CONFIG_MAP, namespace)
        assert "thing" in names
        assert int(version) >= int(listed)

    async def test_labels_select_what_is_not_so(self, gateway, namespace):
        await gateway.create(CONFIG_MAP, namespace, {"metadata": {"name": "a", "labels": {"x": "1", "y": "1"}}})
        await gateway.create(CONFIG_MAP, namespace, {"metadata": {"name": "b", "labels": {"x": "1", "y": "2"}}})
        await gateway.create(CONFIG_MAP, namespace, {"metadata": {"name": "c", "labels": {"y": "2"}}})
        items, _ = await gateway.list(CONFIG_MAP, namespace, selector="x=1,y!=1")
        assert [item["metadata"]["name"] for item in items] == ["b"]

    async def test_a_finalizer_holds_back_what_is_deleted(self, gateway, namespace):
        await gateway.create(CONFIG_MAP, namespace, config_map(finalizers=[FINALIZER]))
        await gateway.delete(CONFIG_MAP, namespace, "thing")
        held = await gateway.get(CONFIG_MAP, namespace, "thing")
        assert held["metadata"]["deletionTimestamp"].endswith("Z")
        await gateway.delete(CONFIG_MAP, namespace, "thing")
        await gateway.patch(CONFIG_MAP, namespace, "thing", {"metadata": {"finalizers": []}})
        with pytest.raises(NotFound):
            await gateway.get(CONFIG_MAP, namespace, "thing")

    async def test_what_is_on_its_way_out_takes_no_new_finalizer(self, gateway, namespace):
        await gateway.create(CONFIG_MAP, namespace, config_map(finalizers=[FINALIZER]))
        await gateway.delete(CONFIG_MAP, namespace, "thing")
        more = {"metadata": {"finalizers": [FINALIZER, "doorward.io/another"]}}
        with pytest.raises(Invalid):
            await gateway.patch(CONFIG_MAP, namespace, "thing", more)
        await gateway.patch(CONFIG_MAP, namespace, "thing", {"metadata": {"finalizers": None}})

    # Secrets

    async def test_a_tls_secret_needs_a_key(self, gateway, namespace):
        body = {"metadata": {"name": "tls"}, "type": "kubernetes.io/tls", "data": {"tls.crt": "QQ=="}}
        with pytest.raises(Invalid):
            await gateway.create(SECRET, namespace, body)

    async def test_the_type_of_a_secret_stays(self, gateway, namespace):
        body = {"metadata": {"name": "thing"}, "type": "Opaque", "data": {}}
        await gateway.create(SECRET, namespace, body)
        data = {"tls.crt": "QQ==", "tls.key": "QQ=="}
        with pytest.raises(Invalid):
            await gateway.replace(SECRET, namespace, "thing", body | {"type": "kubernetes.io/tls", "data": data})

    # Server-side apply of annotations

    async def test_what_is_applied_is_owned_and_leaves_others_alone(self, gateway, namespace):
        await gateway.create(INGRESS, namespace, ingress(theirs="1"))
        written = await apply(gateway, namespace, "contract", force=True, ours="2")
        assert annotations_of(written) == {"theirs": "1", "ours": "2"}
        (entry,) = [e for e in written["metadata"]["managedFields"] if e["manager"] == "contract"]
        assert entry["operation"] == "Apply"
        assert entry["fieldsV1"]["f:metadata"]["f:annotations"].keys() - {"."} == {"f:ours"}

    async def test_what_was_applied_and_is_left_out_goes(self, gateway, namespace):
        await gateway.create(INGRESS, namespace, ingress())
        await apply(gateway, namespace, "contract", force=True, a="1", b="2")
        assert annotations_of(await apply(gateway, namespace, "contract", force=True, b="2")) == {"b": "2"}

    async def test_applying_the_same_again_makes_no_version(self, gateway, namespace):
        await gateway.create(INGRESS, namespace, ingress())
        once = await apply(gateway, namespace, "contract", force=True, a="1")
        again = await apply(gateway, namespace, "contract", force=True, a="1")
        assert once["metadata"]["resourceVersion"] == again["metadata"]["resourceVersion"]

    async def test_an_annotation_of_another_value_is_taken_over_by_force_only(self, gateway, namespace):
        await gateway.create(INGRESS, namespace, ingress(a="1"))
        with pytest.raises(Conflict):
            await apply(gateway, namespace, "contract", force=False, a="2")
        assert annotations_of(await apply(gateway, namespace, "contract", force=True, a="2")) == {"a": "2"}

    async def test_who_edits_an_applied_annotation_owns_it(self, gateway, namespace):
        await gateway.create(INGRESS, namespace, ingress())
        await apply(gateway, namespace, "contract", force=True, a="1", b="2")
        edited = await gateway.patch(INGRESS, namespace, "shop", {"metadata": {"annotations": {"a": "3"}}})
        (entry,) = [e for e in edited["metadata"]["managedFields"] if e["manager"] == "contract"]
        assert entry["fieldsV1"]["f:metadata"]["f:annotations"].keys() - {"."} == {"f:b"}

    async def test_nothing_is_applied_to_an_ingress_that_is_not_there(self, gateway, namespace):
        with pytest.raises(Invalid):
            await apply(gateway, namespace, "contract", force=True, a="1")
        with pytest.raises(Conflict, match="uid mismatch"):
            await apply(gateway, namespace, "contract", force=True, uid=UID, a="1")

    async def test_what_is_applied_by_uid_is_applied_to_that_object_alone(self, gateway, namespace):
        made = await gateway.create(INGRESS, namespace, ingress())
        with pytest.raises(Invalid, match=r"metadata\.uid"):
            await apply(gateway, namespace, "contract", force=True, uid=UID, a="1")
        uid = made["metadata"]["uid"]
        written = await apply(gateway, namespace, "contract", force=True, uid=uid, a="1")
        again = await apply(gateway, namespace, "contract", force=True, uid=uid, a="1")
        assert annotations_of(written) == {"a": "1"}
        assert written["metadata"]["resourceVersion"] == again["metadata"]["resourceVersion"]
        (entry,) = [e for e in written["metadata"]["managedFields"] if e["manager"] == "contract"]
        assert entry["fieldsV1"].keys() == {"f:metadata"}
        assert entry["fieldsV1"]["f:metadata"].keys() == {"f:annotations"}

    # Lists

    async def test_a_list_has_what_carries_the_labels(self, gateway, namespace):
        await gateway.create(CONFIG_MAP, namespace, config_map("with", **LABELLED))
        await gateway.create(CONFIG_MAP, namespace, config_map("without"))
        items, _ = await gateway.list(CONFIG_MAP, namespace, selector="app=contract")
        assert [item["metadata"]["name"] for item in items] == ["with"]

    async def test_a_list_of_metadata_has_no_data(self, gateway, namespace):
        await gateway.create(CONFIG_MAP, namespace, config_map(**LABELLED))
        items, _ = await gateway.list(CONFIG_MAP, namespace, selector="app=contract", metadata_only=True)
        assert [(item["metadata"]["name"], "data" in item) for item in items] == [("thing", False)]

    async def test_a_list_of_all_namespaces_has_this_one(self, gateway, namespace):
        await gateway.create(CONFIG_MAP, namespace, config_map(**LABELLED))
        items, version = await gateway.list(CONFIG_MAP, None)
        found = [item for item in items if item["metadata"]["namespace"] == namespace]
        assert "thing" in [item["metadata"]["name"] for item in found]
        assert int(version) >= max(int(item["metadata"]["resourceVersion"]) for item in found)

    # Watches

    async def _change(self, gateway: Gateway, namespace: str, kind: Kind = CONFIG_MAP) -> None:
        await gateway.create(kind, namespace, config_map("watched", **LABELLED))
        await gateway.patch(kind, namespace, "watched", {"data": {"value": "2"}})
        await gateway.delete(kind, namespace, "watched")

    async def test_a_watch_tells_what_came_after_its_version_in_order(self, gateway, namespace):
        await gateway.create(CONFIG_MAP, namespace, config_map("before"))
        _, version = await gateway.list(CONFIG_MAP, namespace)
        await self._change(gateway, namespace)
        events = await heard(gateway, namespace, version, 3)
        assert [event.type for event in events] == ["ADDED", "MODIFIED", "DELETED"]
        assert {event.object["metadata"]["name"] for event in events} == {"watched"}
        versions = [int(event.object["metadata"]["resourceVersion"]) for event in events]
        assert versions == sorted(set(versions))

    async def test_a_watch_tells_what_comes_while_it_is_open(self, gateway, namespace):
        _, version = await gateway.list(CONFIG_MAP, namespace)
        async with asyncio.TaskGroup() as group:
            listening = group.create_task(heard(gateway, namespace, version, 3))
            await asyncio.sleep(0)
            group.create_task(self._change(gateway, namespace))
        assert [event.type for event in listening.result()] == ["ADDED", "MODIFIED", "DELETED"]

    async def test_to_a_watch_by_label_what_loses_the_label_is_gone(self, gateway, namespace):
        _, version = await gateway.list(CONFIG_MAP, namespace)
        await gateway.create(CONFIG_MAP, namespace, config_map("other"))
        await gateway.create(CONFIG_MAP, namespace, config_map(**LABELLED))
        await gateway.patch(CONFIG_MAP, namespace, "thing", {"metadata": {"labels": None}})
        events = await heard(gateway, namespace, version, 2, selector="app=contract")
        assert [(e.type, e.object["metadata"]["name"]) for e in events] == [("ADDED", "thing"), ("DELETED", "thing")]

    async def test_a_watch_of_metadata_tells_no_data(self, gateway, namespace):
        _, version = await gateway.list(CONFIG_MAP, namespace)
        await self._change(gateway, namespace)
        events = await heard(gateway, namespace, version, 3, metadata_only=True)
        assert [event.type for event in events] == ["ADDED", "MODIFIED", "DELETED"]
        assert not any("data" in event.object for event in events)
