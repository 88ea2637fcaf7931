"""The admin's actions that discharge patients and undo that: each asks first, and says what it did.

What is asked about is settled on the page that asks: its form names each patient, and each
discharge that is to be undone by its time. What others did meanwhile stays.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from live import history
from live.log.append import one_batch
from patients import discharge_texts as texts
from patients import services
from patients.models import Patient

LIST = "admin:patients_patient_changelist"
# The page that asks has two fields for each, and Django takes 1000 fields of a form.
MOST_AT_ONCE = 250


class DischargeActions(admin.ModelAdmin):
    """The two actions, and the page to which the first one's message leads to undo it."""

    actions = ("discharge", "undo_discharge")

    def get_urls(self) -> list[Any]:
        """Return Django's, and the page that asks whether to undo a discharge."""
        view = self.admin_site.admin_view(self.undo_view)
        return [path("undo-discharge/", view, name="patients_undo_discharge"), *super().get_urls()]

    # ---- discharging

    @admin.action(description=gettext_lazy("Discharge selected patients"), permissions=["change"])
    def discharge(self, request: HttpRequest, queryset: QuerySet[Patient]) -> HttpResponse | None:
        """Ask, then discharge those who are in the hospital, now; say how many were not."""
        if "post" in request.POST:
            self._discharge(request, _numbers(request.POST.getlist(ACTION_CHECKBOX_NAME)))
            return None
        chosen = self._chosen(request, queryset)
        staying = [patient for patient in chosen if patient.status == Patient.Status.ADMITTED]
        left_out = len(chosen) - len(staying)
        if not staying:
            self._say(request, messages.WARNING, texts.skipped, left_out)
            return None
        return self._ask(request, staying, texts.ask_to_discharge(len(staying), left_out))

    @one_batch()
    def _discharge(self, request: HttpRequest, keys: Collection[int]) -> None:
        patients = self._reachable(request, keys)
        at = timezone.now()
        done = services.patients_discharge(patients=patients, at=at)
        self._note(request, done)
        others = patients.exclude(pk__in=[patient.pk for patient in done])
        skipped = others.filter(status=Patient.Status.DISCHARGED).count()
        refused = others.count() - skipped
        self._offer_undo(request, done, at)
        self._say(request, messages.WARNING, texts.skipped, skipped)
        self._say(request, messages.ERROR, texts.refused, refused)
        missing = len(keys) - len(done) - skipped - refused
        self._say(request, messages.WARNING, texts.missing, missing)

    def _offer_undo(self, request: HttpRequest, done: Sequence[Patient], at: datetime) -> None:
        if done:
            text, undo = texts.discharged(len(done)), _("Undo this discharge")
            link = format_html('{} <a href="{}">{}</a>', text, _undo_url(done, at), undo)
            self.message_user(request, link, messages.SUCCESS)

    # ---- undoing it

    @admin.action(
        description=gettext_lazy("Undo the discharge of selected patients"), permissions=["change"]
    )
    def undo_discharge(
        self, request: HttpRequest, queryset: QuerySet[Patient]
    ) -> HttpResponse | None:
        """Ask, then admit again those whose discharge is still the one that was asked about."""
        if "post" in request.POST:
            self._undo(request, _read_discharges(request.POST.getlist("discharge")))
            return None
        chosen = self._chosen(request, queryset)
        gone = [patient for patient in chosen if patient.status == Patient.Status.DISCHARGED]
        return self._ask_to_undo(request, gone, left_out=len(chosen) - len(gone))

    def undo_view(self, request: HttpRequest) -> HttpResponse:
        """Ask whether to undo the discharge that the address names; GET changes nothing."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        keys, at = _numbers(request.GET.get("of", "").split(",")), _time(request.GET.get("at", ""))
        if not keys or at is None:
            raise Http404
        # Who is discharged has such a time, and nobody else.
        gone = list(self._reachable(request, keys).filter(discharged_at=at))
        asked = self._ask_to_undo(request, gone, left_out=len(keys) - len(gone))
        return asked or redirect(LIST)

    def _ask_to_undo(
        self, request: HttpRequest, gone: Sequence[Patient], left_out: int
    ) -> HttpResponse | None:
        if not gone:
            self._say(request, messages.WARNING, texts.not_discharged, left_out)
            return None
        return self._ask(request, gone, texts.ask_to_undo(len(gone), left_out))

    @one_batch()
    def _undo(self, request: HttpRequest, discharges: Mapping[int, datetime]) -> None:
        patients = self._reachable(request, discharges)
        done = services.discharges_undo(patients=patients, discharged_at=discharges)
        self._note(request, done)
        changed = patients.count() - len(done)
        self._say(request, messages.SUCCESS, texts.undone, len(done))
        self._say(request, messages.WARNING, texts.not_discharged, changed)
        self._say(request, messages.WARNING, texts.missing, len(discharges) - len(done) - changed)

    # ---- both

    def _reachable(self, request: HttpRequest, keys: Iterable[int]) -> QuerySet[Patient]:
        """Return the patients with these keys, but for those who are hidden from the user.

        Not the list's own query: one whom somebody else discharged meanwhile is no longer in a
        list of the admitted, and has to be told of.
        """
        patients = self.get_queryset(request).select_related("category")
        return patients.filter(pk__in=list(keys))

    def _chosen(self, request: HttpRequest, queryset: QuerySet[Patient]) -> list[Patient]:
        """Return the patients who were selected; none, and say so, where they are too many."""
        chosen = list(queryset[: MOST_AT_ONCE + 1])
        if len(chosen) <= MOST_AT_ONCE:
            return chosen
        text = _("Nothing was changed: select %(count)d patients at most.")
        self.message_user(request, text % {"count": MOST_AT_ONCE}, messages.ERROR)
        return []

    def _ask(
        self, request: HttpRequest, patients: Sequence[Patient], question: texts.Question
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": question.title,
            "question": question,
            "patients": patients,
            "opts": self.opts,
            "checkbox_name": ACTION_CHECKBOX_NAME,
            # Where the list is asked about, its filters stay.
            "target": request.get_full_path() if request.method == "POST" else reverse(LIST),
        }
        return TemplateResponse(request, "admin/patients/patient/ask.html", context)

    def _note(self, request: HttpRequest, patients: Iterable[Patient]) -> None:
        """Write the change in the patients' histories."""
        author = history.author_in_admin(request)
        history.write([history.changed(author, p, services.STAY) for p in patients])

    def _say(
        self, request: HttpRequest, level: int, text: Callable[[int], str], count: int
    ) -> None:
        if count:
            self.message_user(request, text(count), level)


def _undo_url(patients: Iterable[Patient], at: datetime) -> str:
    keys = ",".join(str(patient.pk) for patient in patients)
    address = reverse("admin:patients_undo_discharge")
    return f"{address}?{urlencode({'at': at.isoformat(), 'of': keys}, safe=',:')}"


# ---- what a browser sends


def _numbers(sent: Iterable[str]) -> set[int]:
    """Return the primary keys among what was sent; anything else is no patient's."""
    return {int(text) for text in sent if text.isdecimal() and len(text) < 19}


def _time(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if timezone.is_aware(at) else None
    except (ValueError, OverflowError):  # the first and the last day have no UTC in some zones
        return None


def _read_discharges(sent: Iterable[str]) -> dict[int, datetime]:
    """Return discharges' times by their patients' keys, from texts such as "7@2026-01-31…"."""
    pairs = [text.partition("@") for text in sent]
    times = [(_numbers([key]), _time(at)) for key, _separator, at in pairs]
    return {key: at for keys, at in times if at is not None for key in keys}
