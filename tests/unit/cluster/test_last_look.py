"""Whether a process still leads is asked once more when a write's bytes leave it: it may have been paused since the first time."""

import pytest

from doorward.cluster.errors import ApiError, NotLeading
from doorward.cluster.gateway import LAST_LOOK, SECRET

BODY = {"metadata": {"name": "a"}}


def look():
    raise NotLeading("somebody else leads")


WRITES = [
    pytest.param(lambda gateway: gateway.create(SECRET, "edge", BODY), id="create"),
    pytest.param(lambda gateway: gateway.replace(SECRET, "edge", "a", BODY), id="replace"),
    pytest.param(lambda gateway: gateway.patch(SECRET, "edge", "a", BODY), id="patch"),
    pytest.param(lambda gateway: gateway.delete(SECRET, "edge", "a"), id="delete"),
]


@pytest.mark.parametrize("write", WRITES)
async def test_what_it_raises_holds_back(api, gateway, write):
    token = LAST_LOOK.set(look)
    with pytest.raises(ApiError):
        await write(gateway)
    LAST_LOOK.reset(token)
    assert api.asked == []


@pytest.mark.parametrize("write", WRITES)
async def test_it_is_asked_about(api, gateway, write):
    asked = []
    LAST_LOOK.set(lambda: asked.append(len(api.asked)))
    with pytest.raises(ApiError):  # there is nothing
        await write(gateway)
    assert (asked[0], len(api.asked)) == (0, 1)
