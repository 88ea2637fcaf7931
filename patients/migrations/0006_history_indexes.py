"""Indexes of Django's own table of histories, which has none for what its pages ask.

The history of one patient would be a pass over those of all, and the list of a user's latest
actions a sort of all that an import wrote for them.
"""

from django.db import migrations

INDEXES = {
    "patients_history_object": "(object_id)",
    "patients_history_user": "(user_id, action_time)",
}


class Migration(migrations.Migration):
    dependencies = [
        ("patients", "0005_help_texts"),
        ("admin", "0003_logentry_add_action_flag_choices"),
    ]

    operations = [
        migrations.RunSQL(
            f"CREATE INDEX {name} ON django_admin_log {columns}", f"DROP INDEX {name}"
        )
        for name, columns in INDEXES.items()
    ]
