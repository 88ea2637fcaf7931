"""A patient and an event, as a server sends them."""

from datetime import UTC, datetime

from example_client.output import Event

PATIENT = {
    "id": "UGF0aWVudDox",
    "name": "Hélène Roux",
    "birthDate": "1984-05-31",
    "sex": "FEMALE",
    "reason": "",
    "status": "ADMITTED",
    "admittedAt": "2026-05-31T14:30:00+00:00",
    "dischargedAt": None,
    "externalId": "E-1",
    "category": {"code": "II", "name": "Neoplasms"},
}
AT = datetime(2026, 5, 31, 14, 30, 5, tzinfo=UTC)
EVENT = Event("NEW", "New patient added: Hélène Roux", PATIENT, AT, "cursor")
