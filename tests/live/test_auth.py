"""What application authors ask of a user."""

import pytest
from django.contrib.auth.models import AnonymousUser

from live import auth
from live.errors import Forbidden, Unauthenticated

VIEW = "patients.view_patient"


def test_a_permission_is_asked_for(nurse, visitor):
    assert auth.require_permission(nurse, VIEW) is None
    with pytest.raises(Forbidden):
        auth.require_permission(visitor, VIEW)
    for nobody in (None, AnonymousUser()):
        with pytest.raises(Unauthenticated):
            auth.require_permission(nobody, VIEW)
        with pytest.raises(Unauthenticated):
            auth.require_login(nobody)
    assert auth.require_login(visitor) is None
