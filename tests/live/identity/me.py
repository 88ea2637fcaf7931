"""Asking over HTTP who one is."""

import json

from django.test import AsyncClient

ME = "{ me { username } }"
LOGOUT = "mutation { logout { ok } }"


async def post(query, cookie=None, **headers):
    client = AsyncClient()
    if cookie:
        client.cookies["sessionid"] = cookie[1].decode().removeprefix("sessionid=")
    body = json.dumps({"query": query})
    return await client.post("/graphql/", body, content_type="application/json", headers=headers)


def name_in(response):
    return response["data"]["me"] and response["data"]["me"]["username"]
