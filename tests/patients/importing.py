"""`manage.py import_patients` within a test, and the event that ends what is told."""

import io

from django.core.management import CommandError, call_command

from patients.models import DiseaseCategory, Patient

LAST = "Last One"


class Run:
    """One run of the command: what it printed, and how it failed."""

    def __init__(self, *arguments):
        out, err = io.StringIO(), io.StringIO()
        self.error = None
        try:
            call_command("import_patients", *map(str, arguments), stdout=out, stderr=err)
        except CommandError as error:
            self.error = str(error)
        self.out, self.err = out.getvalue(), err.getvalue()


def register_last():
    """Register the patient whose event ends a Watch."""
    Patient.objects.create(name=LAST, category=DiseaseCategory.objects.get(code="I"))
    return LAST
