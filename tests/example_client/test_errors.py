import pytest

from example_client.errors import (
    BadFields,
    ConnectionLost,
    ExitCode,
    NotPermitted,
    Refused,
    from_close,
    from_graphql,
)


def graphql_error(code, message="No.", **extensions):
    return {"message": message, "extensions": {"code": code, **extensions}}


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [
        ("BAD_INPUT", ExitCode.REFUSED),
        ("NOT_FOUND", ExitCode.REFUSED),
        ("INTERNAL", ExitCode.REFUSED),
        ("UNAUTHENTICATED", ExitCode.NOT_PERMITTED),
        ("FORBIDDEN", ExitCode.NOT_PERMITTED),
    ],
)
def test_an_error_code_leads_to_an_exit_code(code, exit_code):
    error = from_graphql([graphql_error(code)])
    assert error.exit_code == exit_code
    assert code in str(error)


def test_the_id_of_an_internal_error_is_told():
    error = from_graphql([graphql_error("INTERNAL", "Internal error.", id="c0ffee")])
    assert error.lines == ["error: Internal error. (INTERNAL, c0ffee)"]


def test_several_errors_are_one_line():
    error = from_graphql([graphql_error("BAD_INPUT", "One."), {"message": "Two."}])
    assert error.lines == ["error: One. (BAD_INPUT); Two."]


@pytest.mark.parametrize("errors", [None, "no", [], ["no"], {"message": "no"}])
def test_errors_that_are_none_are_a_refusal_without_a_reason(errors):
    assert from_graphql(errors).lines == ["error: the server gave no reason"]


def test_bad_fields_are_told_field_by_field():
    error = BadFields(
        [
            {"field": "name", "messages": ["Blank.", "Short."]},
            {"field": "__all__", "messages": ["Both wrong."]},
        ]
    )
    assert error.lines == ["name: Blank.", "name: Short.", "Both wrong."]
    assert error.exit_code == ExitCode.REFUSED


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1011, 1012, 4408, 4999])
def test_after_most_close_codes_another_attempt_may_help(code):
    error = from_close(code, "why")
    assert isinstance(error, ConnectionLost)
    assert (error.code, error.reason) == (code, "why")


@pytest.mark.parametrize("code", [4400, 4401, 4406, 4409, 4413, 4429])
def test_after_a_protocol_error_none_helps(code):
    error = from_close(code, "why")
    assert type(error) is Refused
    assert f"({code}: why)" in str(error)


def test_a_forbidden_connection_is_not_permitted():
    assert isinstance(from_close(4403, ""), NotPermitted)


def test_a_close_code_without_a_reason_is_named():
    assert str(from_close(1001, "")) == "connection lost (1001: going away)"
    assert str(from_close(4999, "")) == "connection lost (4999: no reason given)"
