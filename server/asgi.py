"""The ASGI application: HTTP and WebSocket."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "server.settings")

from django.core.asgi import get_asgi_application

http_application = get_asgi_application()  # loads the apps, which what follows needs

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import WebsocketDenier
from django.urls import path, re_path

from live.consumer import LiveConsumer
from live.direct import DirectSend
from live.origin import OriginGuard
from server.schema import schema


class Consumer(LiveConsumer):
    """The sockets of this project."""

    schema = schema


sockets = URLRouter(
    [
        path("graphql/", Consumer.as_asgi()),
        re_path("", WebsocketDenier.as_asgi()),  # 403; without it, a traceback
    ]
)

application = ProtocolTypeRouter(
    {
        "http": http_application,
        "websocket": DirectSend(OriginGuard(AuthMiddlewareStack(sockets))),
    }
)
