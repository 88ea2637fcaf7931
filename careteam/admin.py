"""Django's admin for staff: rooms, what was written in them (to read), and notices."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy, ngettext

from careteam import selectors, services
from careteam.models import ChatMessage, Notice, Room
from careteam.rooms import room_rights
from live.history import HistoryAdmin, author_in_admin


@admin.register(Room)
class RoomAdmin(admin.ModelAdmin):
    """The rooms; whoever writes to one makes it, so nobody does here."""

    list_display = ("name", "closed")
    list_filter = ("closed",)
    search_fields = ("name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Room]:
        """Leave out the rooms that are closed to the user."""
        closed = room_rights(request.user).closed or ()
        return super().get_queryset(request).exclude(key__in=closed)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


@admin.register(ChatMessage)
class ChatMessageAdmin(admin.ModelAdmin):
    """What was written, to be searched, read, and deleted where it does harm."""

    list_display = ("sent_at", "room", "sender", "beginning")
    list_display_links = ("sent_at", "beginning")
    list_select_related = ("room",)
    list_filter = ("sent_at",)
    search_fields = ("text", "sender", "room__name")
    search_help_text = gettext_lazy("Text, sender or room")
    ordering = ("-id",)
    # A second count of all messages each time a list is shown.
    show_full_result_count = False

    @admin.display(description=gettext_lazy("text"))
    def beginning(self, message: ChatMessage) -> str:
        return Truncator(message.text).chars(80)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ChatMessage]:
        """Leave out the messages in rooms that are closed to the user."""
        closed = room_rights(request.user).closed or ()
        return super().get_queryset(request).exclude(room__key__in=closed)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Notice)
class NoticeAdmin(HistoryAdmin):
    """Notices. Drafts are for those who may publish; what is published stays as it is."""

    list_display = ("title", "author", "published_at")
    list_select_related = ("author",)
    list_filter = ("published_at",)
    search_fields = ("title", "body")
    readonly_fields = ("author", "published_at")
    actions = ("publish",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Notice]:
        """Leave out the drafts for those who may not publish."""
        notices = super().get_queryset(request)
        if self.has_publish_permission(request):
            return notices
        return notices.filter(published_at__isnull=False)

    def has_publish_permission(self, request: HttpRequest) -> bool:
        """Whether the action `publish` is offered."""
        return selectors.may_publish(request.user)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and self.has_publish_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Notice | None = None) -> bool:
        is_told = obj is not None and obj.published_at is not None
        return super().has_change_permission(request, obj) and not is_told

    def save_model(self, request: HttpRequest, obj: Notice, form: ModelForm, change: bool) -> None:
        """Store the notice; whoever makes it is its author."""
        if not change:
            obj.author = request.user  # type: ignore[assignment]
        super().save_model(request, obj, form, change)

    @admin.action(description=gettext_lazy("Publish selected notices"), permissions=["publish"])
    def publish(self, request: HttpRequest, queryset: QuerySet[Notice]) -> None:
        """Publish the drafts, the oldest first; say how many were published before."""
        published = skipped = 0
        author = author_in_admin(request)
        for notice in queryset.order_by("pk"):
            if services.notice_publish(notice=notice, author=author):
                published += 1
            else:
                skipped += 1
        self._report(request, published, skipped)

    def _report(self, request: HttpRequest, published: int, skipped: int) -> None:
        if published:
            text = ngettext("%d notice was published.", "%d notices were published.", published)
            self.message_user(request, text % published, messages.SUCCESS)
        if skipped:
            text = ngettext(
                "%d was skipped: already published.",
                "%d were skipped: already published.",
                skipped,
            )
            self.message_user(request, text % skipped, messages.WARNING)
