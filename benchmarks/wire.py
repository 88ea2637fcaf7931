"""What the load sends and reads: WebSocket frames and the benchmark's documents.

An event's number is in its patient's name, between two marks: "Patient #0000012#". Where a
frame is a notification, the number is found by bytes; no JSON is read.
"""

import json
from typing import Any

MARK = b"#"
DIGITS = 7

SUBSCRIPTION = (
    "subscription ($category: String) { onNewPatient(category: $category) "
    "{ message patient { id name status category { code } } } }"
)
MUTATION = (
    "mutation ($input: CreatePatientMutationInput!) { createPatient(input: $input) "
    "{ errors { field messages } } }"
)
TYPENAME = "{ __typename }"
PAGE = "{ patients(first: 20) { edges { node { id name status category { code } } } } }"

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


def frame(text: str | bytes, opcode: int = TEXT) -> bytes:
    """Return a client's frame. Its mask is zero, which leaves the payload as it is."""
    data = text.encode() if isinstance(text, str) else text
    length = len(data)
    if length < 126:
        head = bytes((0x80 | opcode, 0x80 | length))
    elif length < 65536:
        head = bytes((0x80 | opcode, 0xFE)) + length.to_bytes(2, "big")
    else:
        head = bytes((0x80 | opcode, 0xFF)) + length.to_bytes(8, "big")
    return head + b"\0\0\0\0" + data


def split(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Return the whole frames in `data` as (opcode, payload), and what is left over."""
    frames, at = [], 0
    while len(data) - at >= 2:
        opcode, length, start = data[at] & 15, data[at + 1] & 127, at + 2
        if length > 125:
            size = 2 if length == 126 else 8
            length = int.from_bytes(data[start : start + size], "big")
            start += size
        # `start` may be beyond the end, and the length that of half a number.
        if start > len(data) or start + length > len(data):
            break
        frames.append((opcode, data[start : start + length]))
        at = start + length
    return frames, data[at:]


def handshake(port: int, cookie: str) -> bytes:
    """Return the request that opens the WebSocket; no extension (compression) is offered."""
    lines = [
        "GET /graphql/ HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: graphql-transport-ws",
        f"Cookie: {cookie}",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def message(type: str, id: str | None = None, payload: Any = None) -> bytes:
    """Return a protocol message as a client's frame."""
    value = {"type": type, "id": id, "payload": payload}
    return frame(json.dumps({k: v for k, v in value.items() if v is not None}))


def request(id: str, query: str, **variables: Any) -> bytes:
    """Return the message that runs `query`."""
    return message("subscribe", id, {"query": query, "variables": variables})


def patient_name(number: int) -> str:
    """Return the name of the patient that event `number` is about."""
    return f"Patient #{number:0{DIGITS}}#"
