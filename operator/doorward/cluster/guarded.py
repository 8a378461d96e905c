"""The gateway of a process that may have to stand by: whether it leads is asked before every write; reads pass."""

from contextlib import AbstractAsyncContextManager

from doorward.cluster.gateway import Gateway, Kind
from doorward.cluster.leadership import Leadership
from doorward.cluster.wrapped import Verb, WrappedGateway


class GuardedGateway(WrappedGateway):
    """See `Gateway`; writes raise NotLeading while another process leads."""

    def __init__(self, gateway: Gateway, leadership: Leadership) -> None:
        super().__init__(gateway)
        self._leadership = leadership

    def _around(self, kind: Kind, verb: Verb, subresource: str = "") -> AbstractAsyncContextManager[None]:  # noqa: ARG002 - whatever is written
        return self._leadership.while_leading()
