"""Whom connections are identified as in these tests."""

from datetime import timedelta

import pytest
from django.test import AsyncClient

from live.identity.tokens import issue_token


@pytest.fixture
def token(nurse):
    """The nurse's token, and its secret."""
    return issue_token(user=nurse, expires_in=timedelta(hours=1))


@pytest.fixture
def cookie(visitor):
    """The header with a session of the visitor."""
    client = AsyncClient()
    client.force_login(visitor)
    return (b"cookie", f"sessionid={client.cookies['sessionid'].value}".encode())
