"""What the admin asks before it discharges patients or undoes that, and what it says after it."""

from typing import NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import ngettext


class Question(NamedTuple):
    """What a page asks before an action is carried out.

    `left_out` says how many of those who were selected it is not about; "" if there are none.
    """

    action: str
    title: str
    text: str
    left_out: str
    button: str


def ask_to_discharge(count: int, left_out: int) -> Question:
    """Return the question whether to discharge so many."""
    text = ngettext("Discharge %d patient, now?", "Discharge %d patients, now?", count)
    button = ngettext("Discharge %d patient", "Discharge %d patients", count)
    rest = skipped(left_out) if left_out else ""
    return Question("discharge", _("Discharge patients"), text % count, rest, button % count)


def ask_to_undo(count: int, left_out: int) -> Question:
    """Return the question whether to admit so many again."""
    text = ngettext(
        "Undo the discharge of %d patient? It will be as if it had not been.",
        "Undo the discharge of %d patients? It will be as if it had not been.",
        count,
    )
    button = ngettext("Admit %d patient again", "Admit %d patients again", count)
    rest = not_discharged(left_out) if left_out else ""
    return Question("undo_discharge", _("Undo a discharge"), text % count, rest, button % count)


def discharged(count: int) -> str:
    text = ngettext("%d patient was discharged.", "%d patients were discharged.", count)
    return text % count


def skipped(count: int) -> str:
    text = ngettext(
        "%d is left out: already discharged.", "%d are left out: already discharged.", count
    )
    return text % count


def refused(count: int) -> str:
    text = ngettext(
        "%d could not be discharged: admitted in the future.",
        "%d could not be discharged: admitted in the future.",
        count,
    )
    return text % count


def missing(count: int) -> str:
    text = ngettext("%d was not found.", "%d were not found.", count)
    return text % count


def undone(count: int) -> str:
    text = ngettext("%d patient is admitted again.", "%d patients are admitted again.", count)
    return text % count


def not_discharged(count: int) -> str:
    text = ngettext(
        "%d is left out: no longer discharged, or at another time.",
        "%d are left out: no longer discharged, or at another time.",
        count,
    )
    return text % count
