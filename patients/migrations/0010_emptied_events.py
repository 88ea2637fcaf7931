"""Events of before are forgotten as new ones are: see live.models.LoggedEvent.emptied."""

from django.db import migrations

from live.log import records
from live.log.entry import Entry

AT_ONCE = 500


def fill(apps, schema_editor):
    events = apps.get_model("live", "LoggedEvent").objects.using(schema_editor.connection.alias)
    number = 0
    about = events.exclude(subject=None).order_by("number")
    while some := list(about.filter(number__gt=number)[:AT_ONCE]):
        number = some[-1].number
        for event in some:
            event.emptied = emptied(bytes(event.packed))
        events.bulk_update(some, ["emptied"])


def emptied(packed):
    try:
        return Entry.of(records.unpack(packed)).emptied
    except ValueError:  # it is reported where it is read
        return None


class Migration(migrations.Migration):
    dependencies = [("patients", "0009_subjects_of_events"), ("live", "0004_pending_events")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
