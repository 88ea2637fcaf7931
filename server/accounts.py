"""The accounts' part of the schema: who am I, log in, log out."""

from datetime import timedelta
from typing import Any

import graphene
from django.contrib.auth import get_user_model
from graphene_django import DjangoObjectType
from graphql.execution.collect_fields import collect_fields

from live.conf import conf
from live.errors import BadInput
from live.identity.login import keeps_cookies, login, logout
from live.identity.tokens import issue_token


class UserType(DjangoObjectType):
    """A member of the staff."""

    class Meta:
        model = get_user_model()
        name = "User"
        fields = ("username", "first_name", "last_name", "is_staff")


class AccountQueries(graphene.ObjectType):
    """What can be asked of one's own account."""

    me = graphene.Field(UserType, description="Who is logged in; null for nobody.")

    @staticmethod
    def resolve_me(root: Any, info: graphene.ResolveInfo) -> Any:
        user = info.context.user
        return user if user.is_authenticated else None


class LoginPayload(graphene.Mutation):
    """Log in on this connection: a socket stays logged in, HTTP gets a session cookie."""

    ok = graphene.Boolean(required=True, description="False: no such user, or a wrong password.")
    token = graphene.String(
        description="An access token, for a client that keeps no cookies; made if asked for."
    )

    class Arguments:
        username = graphene.String(required=True)
        password = graphene.String(required=True)

    @staticmethod
    def mutate(
        root: Any, info: graphene.ResolveInfo, username: str, password: str
    ) -> "LoginPayload":
        check_single(info)
        return LoginPayload(ok=login(info.context, username=username, password=password))

    @staticmethod
    def resolve_token(root: "LoginPayload", info: graphene.ResolveInfo) -> str | None:
        if not root.ok or keeps_cookies(info.context):
            return None
        lifetime = timedelta(hours=conf.LOGIN_TOKEN_HOURS)
        _, secret = issue_token(user=info.context.user, label="log-in", expires_in=lifetime)
        return secret


def check_single(info: graphene.ResolveInfo) -> None:
    """Raise BadInput where an operation has the field twice: the hash of a password is slow."""
    root, operation = info.parent_type, info.operation
    asked = (info.schema, info.fragments, info.variable_values, root, operation.selection_set)
    fields = collect_fields(*asked).values()
    if sum(nodes[0].name.value == info.field_name for nodes in fields) > 1:
        raise BadInput(f"An operation may have one {info.field_name}.")


class LogoutPayload(graphene.Mutation):
    """Log out on this connection; the session ends."""

    ok = graphene.Boolean(required=True)

    @staticmethod
    def mutate(root: Any, info: graphene.ResolveInfo) -> "LogoutPayload":
        logout(info.context)
        return LogoutPayload(ok=True)


class AccountMutations(graphene.ObjectType):
    """What can be done to one's own session."""

    login = LoginPayload.Field()
    logout = LogoutPayload.Field()
