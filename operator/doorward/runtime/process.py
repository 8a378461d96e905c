"""One operator as a process: its signals, its connection to the API server, and how it ends."""

import asyncio
import logging
import signal
import sys

from doorward.clock import SystemClock
from doorward.cluster.identity import Identity
from doorward.cluster.leadership import Lost
from doorward.cluster.live import LiveGateway, connect_as
from doorward.gates.registry import planes
from doorward.runtime import garbage
from doorward.runtime.key_source import SystemKeySource
from doorward.runtime.operator import Operator
from doorward.runtime.settings import Settings

logger = logging.getLogger(__name__)
TURN = 0.001
"""Seconds after which a thread must let another one have the interpreter's lock. With Python's own 5 ms the threads of Kopf, of the
event loop and of what is signed wait for each other at every answer of the API server: beside a storm of broken specs a cut-off heard
of its client up to 0.88 s late, with 1 ms up to 0.20 s (`python -m tests.bench storms --storm broken`, measured twice each).
"""


async def run(settings: Settings) -> bool:
    """Run the operator until SIGTERM or SIGINT; False: until another process took over."""
    garbage.configure()
    sys.setswitchinterval(TURN)
    clock = SystemClock()
    identity = Identity(settings.kubeconfig, clock)
    gateway = LiveGateway(await connect_as(identity), clock, identity=identity)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    ours = True
    try:
        operator = Operator(
            gateway,
            clock,
            SystemKeySource(),
            settings,
            planes(settings.gate_service, settings.controllers, settings.controller_settings),
            login=identity.credentials,
        )
        aside = asyncio.create_task(garbage.keep_aside(operator.known))
        try:
            await operator.run(stop)
        finally:
            aside.cancel()
    except* Lost as lost:
        ours = False
        logger.critical("this process ends: %s", lost.exceptions[0])
    finally:
        await gateway.close()
    return ours
