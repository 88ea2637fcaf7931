"""Trigram indexes for the search, on PostgreSQL (see patients/search.py)."""

from django.db import migrations

# Django's `icontains` compares in capitals.
FIELDS = ("name", "reason", "external_id")


def create(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    # PostgreSQL trusts it: who may create tables in the database may create it.
    schema_editor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    for field in FIELDS:
        schema_editor.execute(
            f"CREATE INDEX patient_search_{field} ON patients_patient "
            f"USING gin (UPPER({field}::text) gin_trgm_ops) "
            # In kB: a search reads all that waits to be sorted into the index.
            "WITH (gin_pending_list_limit = 256)"
        )


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for field in FIELDS:
            schema_editor.execute(f"DROP INDEX patient_search_{field}")


class Migration(migrations.Migration):
    dependencies = [("patients", "0007_labels")]

    operations = [migrations.RunPython(create, drop)]
