"""A model whose save and what its receivers write are one transaction."""

from typing import Any

from django.db import models, router, transaction


class AtomicSave(models.Model):
    """A model for whose changes receivers write records: `broadcast`, `rights_changed`.

    In autocommit, Django sends `post_save` after its own transaction has ended. A process that
    is killed there would leave a row that nobody is told of, and an event of another writer
    would come before the record. Here both commit together, or neither. Django's `delete`, and
    changes of many-to-many relations, are so by themselves.
    """

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Write it, as Django's, in one transaction with what its receivers write."""
        using = kwargs.get("using") or router.db_for_write(type(self), instance=self)
        with transaction.atomic(using=using):
            super().save(*args, **kwargs)
