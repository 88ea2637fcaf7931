"""What a field of a patient may hold, as checked by forms, mutations and imports alike."""

import datetime

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


def validate_not_blank(value: str) -> None:
    """Raise ValidationError where `value` is white space only (a no-break space counts)."""
    if not value.strip():
        raise ValidationError(_("This field may not be blank."), code="blank")


def validate_not_in_future(value: datetime.date) -> None:
    """Raise ValidationError where the date is after today in the hospital's time zone."""
    if value > timezone.localdate():
        raise ValidationError(_("The date of birth is in the future."), code="future")


def check_storable(name: str, value: datetime.datetime | None) -> None:
    """Raise ValidationError for a time that no database has: beyond the year 9999 in UTC."""
    try:
        if value is not None:
            value.astimezone(datetime.UTC)
    except OverflowError:
        raise ValidationError({name: _("Enter a valid date/time.")}) from None
