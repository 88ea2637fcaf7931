"""What no client should send, for property tests: frames of a subprotocol gone wrong.

A frame is a text, or None for a binary one.
"""

import json

from hypothesis import strategies as st

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children),
    max_leaves=8,
)
types = st.sampled_from(
    [
        "connection_init",
        "subscribe",
        "start",
        "complete",
        "stop",
        "ping",
        "pong",
        "connection_terminate",
        "connection_ack",
        "SUBSCRIBE",
        "_on_ping",
        "receive",
    ]
)
ids = st.sampled_from(["1", "2", "", "\ud800", "x" * 5000, 1, None]) | json_values
requests = st.fixed_dictionaries(
    {},
    optional={
        "query": st.sampled_from(["{ me }", "", 1]) | json_values,
        "variables": json_values,
        "operationName": json_values,
        "extensions": json_values,
    },
)
messages = st.fixed_dictionaries(
    {},
    optional={
        "type": types | json_values,
        "id": ids,
        "payload": requests | json_values,
        "extra": json_values,
    },
)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A message's text with a piece cut out, put twice, or something else put in."""
    text = json.dumps(draw(messages))
    at = draw(st.integers(0, len(text)))
    until = draw(st.integers(at, min(len(text), at + 20)))
    middle = draw(
        st.sampled_from(["", text[at:until] * 2, '"', "\\ud800", "1e999", "NaN", "{", "]" * 3])
        | st.text(max_size=10)
    )
    return text[:at] + middle + text[until:]


deep = st.builds(
    lambda count, opening, kind: f'{{"type":"{kind}","id":"1","payload":{opening * count}',
    st.sampled_from([99, 101, 5000, 100_000]),
    st.sampled_from(["[", '{"a":', "[["]),
    types,
)
closed_deep = st.builds(
    lambda count: '{"type":"ping","payload":{"a":' + "[" * count + "]" * count + "}}",
    st.sampled_from([1, 97, 98, 99, 500, 980, 990, 1000, 5000]),
)
numbers = st.builds(
    lambda digits: f'{{"type":"ping","payload":{{"a":{digits}}}}}',
    st.sampled_from(["9" * 4300, "9" * 4301, "9" * 100_000, "-1e400", "1e308", "1E+400"]),
)
duplicates = st.builds(
    lambda one, two: f'{{"type":{json.dumps(one)},"type":{json.dumps(two)},"id":"1","id":2}}',
    types,
    types,
)
frames = (
    st.none()
    | messages.map(json.dumps)
    | mutated()
    | json_values.map(json.dumps)
    | st.text(st.characters())
    | deep
    | closed_deep
    | numbers
    | duplicates
)
