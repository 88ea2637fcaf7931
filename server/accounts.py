"""The accounts' part of the schema: who am I, log in, log out."""

from typing import Any

import graphene
from django.contrib.auth import get_user_model
from graphene_django import DjangoObjectType

from live import auth


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

    class Arguments:
        username = graphene.String(required=True)
        password = graphene.String(required=True)

    @staticmethod
    def mutate(
        root: Any, info: graphene.ResolveInfo, username: str, password: str
    ) -> "LoginPayload":
        return LoginPayload(ok=auth.login(info.context, username=username, password=password))


class LogoutPayload(graphene.Mutation):
    """Log out on this connection; the session ends."""

    ok = graphene.Boolean(required=True)

    @staticmethod
    def mutate(root: Any, info: graphene.ResolveInfo) -> "LogoutPayload":
        auth.logout(info.context)
        return LogoutPayload(ok=True)


class AccountMutations(graphene.ObjectType):
    """What can be done to one's own session."""

    login = LoginPayload.Field()
    logout = LogoutPayload.Field()
