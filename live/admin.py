"""Access tokens in the admin: to see and to end them. `manage.py issue_token` issues them."""

from typing import Any

from django.contrib import admin
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from live.identity.tokens import revoke_token
from live.models import AccessToken


class StateFilter(admin.SimpleListFilter):
    """Narrows the list to the tokens that are valid, expired or revoked."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(AccessToken.State.choices)

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[AccessToken]
    ) -> QuerySet[AccessToken]:
        expired = Q(revoked_at=None, expires_at__lte=timezone.now())
        if self.value() == AccessToken.State.VALID:
            return queryset.filter(revoked_at=None).exclude(expired)
        if self.value() == AccessToken.State.EXPIRED:
            return queryset.filter(expired)
        if self.value() == AccessToken.State.REVOKED:
            return queryset.exclude(revoked_at=None)
        return queryset


@admin.register(AccessToken)
class AccessTokenAdmin(admin.ModelAdmin):
    """Shows everything but the digest; only the label can be changed."""

    list_display = ("user", "label", "created_at", "expires_at", "last_used_at", "state")
    list_filter = (StateFilter, "created_at")
    list_select_related = ("user",)
    search_fields = ("user__username", "label")
    date_hierarchy = "created_at"
    actions = ("revoke",)
    fields = (
        "user",
        "label",
        "state",
        "created_at",
        "expires_at",
        "revoked_at",
        "last_used_at",
    )
    readonly_fields = tuple(name for name in fields if name != "label")

    def has_add_permission(self, request: HttpRequest) -> bool:
        # A page would keep the secret in a browser's history, or in a cookie.
        return False

    @admin.display(description=_("state"))
    def state(self, token: AccessToken) -> str:
        return str(token.state.label)

    @admin.action(description=_("Revoke the selected tokens"), permissions=["change"])
    def revoke(self, request: HttpRequest, tokens: QuerySet[AccessToken]) -> None:
        # One by one, so that each sends its signal and its sockets are told.
        valid = tokens.filter(revoked_at=None).order_by("pk")
        with transaction.atomic():
            for token in valid:
                revoke_token(token=token)
                self.log_change(request, token, "Revoked.")
        count = len(valid)
        self.message_user(
            request,
            ngettext("%(count)d token was revoked.", "%(count)d tokens were revoked.", count)
            % {"count": count},
        )
