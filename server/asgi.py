"""The ASGI application: HTTP and WebSocket."""

import gc
import os
import sys
from typing import Any, cast

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "server.settings")

# Seconds after which a thread that computes lets another have its turn. Python's 5 ms, times
# the worker threads, is what every subscriber would wait for while somebody's query runs.
sys.setswitchinterval(0.0005)

from django.core.asgi import get_asgi_application

http_application = get_asgi_application()  # loads the apps, which what follows needs

from server.startup import require_sound
from server.static_files import check_collected

require_sound(check_collected)

from django.db import connections

from live.conf import conf
from server.postgres import bound_statements

# Before the first connection; all that are opened later are given these settings.
bound_statements(connections.settings["default"], conf.OPERATION_TIMEOUT)

from channels.routing import ProtocolTypeRouter, URLRouter
from channels.sessions import CookieMiddleware
from django.urls import path, re_path

from live.socket.consumer import LiveConsumer
from live.socket.handshake import AtHandshake, SessionUser
from live.socket.origin import OriginGuard, refuse
from server.bodies import BoundedBodies
from server.daphne_requests import bound_requests
from server.schema import schema


class Consumer(LiveConsumer):
    """The sockets of this project."""

    schema = schema


def _who_is_there(application: Any) -> Any:
    return OriginGuard(CookieMiddleware(SessionUser(application)))


sockets = URLRouter(
    [
        # Django's types know views only; Channels' router takes ASGI applications.
        path("graphql/", cast(Any, AtHandshake(_who_is_there, Consumer.as_asgi()))),
        re_path("", cast(Any, refuse)),  # without it, a traceback for every wrong address
    ]
)

bound_requests()
application = ProtocolTypeRouter({"http": BoundedBodies(http_application), "websocket": sockets})

# What is loaded by now stays. Looking through it for garbage, again and again, would hold up
# every subscriber for a tenth of a second. What an event makes is mostly gone with it: of the
# 700 objects after which Python looks by itself, most are still in use.
gc.collect()
gc.freeze()
gc.set_threshold(10_000, 20, 20)
