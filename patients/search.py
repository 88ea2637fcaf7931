"""The search for patients: words in name, reason and external id.

PostgreSQL finds words of three letters and more by its trigrams, SQLite reads all patients (some
30 ms for 100,000). A shorter word has no trigram: what reads all patients for it is bounded by
the number of words, and by looking for it in fewer places.
"""

from typing import TypeVar

from django.db import models
from django.db.models import Q, QuerySet

from live import metrics
from live.errors import BadInput

MOST_WORDS = 10
MOST_CHARACTERS = 200
# A shorter word has no trigram.
TRIGRAM = 3

_Row = TypeVar("_Row", bound=models.Model)


def matching(patients: QuerySet[_Row], text: str) -> QuerySet[_Row]:
    """Return the patients in whose name, reason or external id each word of `text` is found.

    A word of one or two letters is not looked for in the reason, and has to be all of an external
    id. Raises BadInput for a text of too many words or characters.
    """
    # The longest first: it leaves the fewest patients in which to look for the others.
    for word in sorted(words(text), key=len, reverse=True):
        patients = patients.filter(_found(word))
    return patients


def words(text: str) -> list[str]:
    """Return the words of a search; raise BadInput where it has too many words or characters."""
    if len(text) > MOST_CHARACTERS:
        raise _too_long("characters", MOST_CHARACTERS)
    found = text.split()
    if len(found) > MOST_WORDS:
        raise _too_long("words", MOST_WORDS)
    return found


def _found(word: str) -> Q:
    if len(word) < TRIGRAM:
        return Q(name__icontains=word) | Q(external_id__iexact=word)
    places = ("name", "reason", "external_id")
    return Q(*[(f"{place}__icontains", word) for place in places], _connector=Q.OR)


def _too_long(what: str, most: int) -> BadInput:
    metrics.limits.labels(limit=f"search_{what}").inc()
    return BadInput(f"search may have {most} {what} at most.")
