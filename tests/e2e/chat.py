"""The seven requests with which the library's README teaches: they work here word for word."""

from typing import Any

READ = 'query read { history(chatroom: "kittens") { chatroom text sender }}'
SEND = 'mutation send { sendChatMessage(chatroom: "kittens", text: "Hi all!"){ ok }}'
READ_AGAIN = 'query read { history(chatroom: "kittens") { text sender } }'
LOG_IN = 'mutation send { login(username: "user", password: "pass") { ok } }'
SEND_AS_USER = 'mutation send { sendChatMessage(chatroom: "kittens", text: "It is me!"){ ok }}'
SUBSCRIBE = 'subscription s { onNewChatMessage(chatroom: "kittens") { text sender }}'

# What another socket of the user sends.
HERS = 'mutation send { sendChatMessage(chatroom: "kittens", text: "It\'s you!"){ ok }}'

SENT = {"sendChatMessage": {"ok": True}}
ANONYMOUS = {"text": "Hi all!", "sender": "Anonymous"}
USER = {"text": "It is me!", "sender": "user"}

# The six that are answered at once, in the README's order, each with its data.
ANSWERED: list[tuple[str, dict[str, Any]]] = [
    (READ, {"history": []}),
    (SEND, SENT),
    (READ_AGAIN, {"history": [ANONYMOUS]}),
    (LOG_IN, {"login": {"ok": True}}),
    (SEND_AS_USER, SENT),
    (READ_AGAIN, {"history": [ANONYMOUS, USER]}),
]

MAKE_USER = """
from django.contrib.auth.models import User
User.objects.create_user("user", password="pass")
"""
