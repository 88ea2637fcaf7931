"""The function by which PostgreSQL numbers what is pending: see live.log.numbering_after_commit.

One at a time numbers. The lock is no row's, so that nothing is written where nothing is pending. It
is taken by a statement of its own: the next one sees all that was committed before. Records of
rights come first. `forgotten` are former events that got their numbers since their forgetting
transaction looked; a row that somebody has locked is being forgotten, or pruned, by them.
"""

from django.db import migrations

from live.log.records import NOTHING

FUNCTION = f"""
CREATE OR REPLACE FUNCTION live_number_pending(most integer)
RETURNS TABLE (epoch bigint, number bigint, packed bytea) LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
BEGIN
IF NOT EXISTS (SELECT 1 FROM live_pendingevent) THEN
    RETURN;
END IF;
PERFORM pg_advisory_xact_lock('live_log'::regclass::oid::int, 0);
IF NOT EXISTS (SELECT 1 FROM live_log) THEN
    INSERT INTO live_log (id, epoch, last) VALUES (1, (random() * 2 ^ 62)::bigint, 0)
    ON CONFLICT DO NOTHING;
END IF;
RETURN QUERY WITH taken AS (
    DELETE FROM live_pendingevent WHERE id = ANY (ARRAY(
        SELECT id FROM live_pendingevent ORDER BY urgent DESC, id LIMIT most))
    RETURNING *
), placed AS (
    SELECT *, row_number() OVER (ORDER BY urgent DESC, id) AS place,
        bool_or(forgets) OVER (PARTITION BY subject ORDER BY urgent DESC, id
            ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS is_forgotten
    FROM taken
), counted AS (
    UPDATE live_log SET last = last + added FROM (SELECT count(*) AS added FROM taken) AS counts
    WHERE added > 0 RETURNING epoch, last - added AS before
), forgotten AS (
    UPDATE live_loggedevent SET packed = COALESCE(emptied, '\\x{NOTHING.hex()}')
    WHERE number IN (
        SELECT number FROM live_loggedevent
        WHERE subject IN (SELECT subject FROM taken WHERE forgets)
            AND packed <> COALESCE(emptied, '\\x{NOTHING.hex()}')
        FOR UPDATE SKIP LOCKED)
), logged AS (
    INSERT INTO live_loggedevent (number, packed, written_at, subject, emptied)
    SELECT before + place, CASE WHEN is_forgotten THEN emptied ELSE packed END,
        written_at, subject, emptied
    FROM placed, counted RETURNING number, packed
)
SELECT counted.epoch, logged.number, logged.packed FROM logged, counted ORDER BY logged.number;
END $$
"""


def create(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(FUNCTION)


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP FUNCTION IF EXISTS live_number_pending")


class Migration(migrations.Migration):
    dependencies = [("live", "0004_pending_events")]

    operations = [migrations.RunPython(create, drop)]
