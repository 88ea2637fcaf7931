"""Events of before are found by their patients, too: see live.models.LoggedEvent.subject."""

import re

from django.db import migrations

from live.log import records

AT_ONCE = 500
# A patient's own group, which each event about the patient has.
GROUP = re.compile(r"patients\.schema\.subscriptions\.\w+-patient:(\d+)")


def find(apps, schema_editor):
    events = apps.get_model("live", "LoggedEvent").objects.using(schema_editor.connection.alias)
    number = 0
    while some := list(events.filter(number__gt=number).order_by("number")[:AT_ONCE]):
        number = some[-1].number
        about = [event for event in some if mark(event)]
        events.bulk_update(about, ["subject", "packed"])


def mark(event) -> bool:
    """Say in an event which patient it is about; return False for another's."""
    try:
        record = records.unpack(bytes(event.packed))
    except ValueError:  # it is reported where it is read
        return False
    found = next(filter(None, map(GROUP.fullmatch, record.groups)), None)
    if record.kind is not records.Kind.EVENT or found is None or record.subject is not None:
        return False
    event.subject = f"patient:{found[1]}"
    marked = records.event(record.groups, record.body, record.excluded, about=event.subject)
    event.packed = records.pack(marked)
    return True


class Migration(migrations.Migration):
    dependencies = [("patients", "0008_search_indexes"), ("live", "0003_subjects")]

    operations = [migrations.RunPython(find, migrations.RunPython.noop)]
