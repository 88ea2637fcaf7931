"""The domain's operations, and what they need."""

from patients.models import Patient

# Every root field, with the one permission that it needs (None: nobody has to be logged in).
QUERIES = {
    "me": (None, "{ me { username } }"),
    "diseaseCategories": ("view", "{ diseaseCategories { code name blockRange } }"),
    "patient": ("view", "query ($id: ID!) { patient(id: $id) { name } }"),
    "patients": ("view", "{ patients { totalCount edges { node { name } } } }"),
    "node": ("view", "query ($id: ID!) { node(id: $id) { id } }"),
}
MUTATIONS = {
    "login": (None, 'mutation { login(username: "x", password: "x") { ok } }'),
    "logout": (None, "mutation { logout { ok } }"),
    "createPatient": (
        "add",
        """mutation { createPatient(input: {name: "New", category: "I"}) {
             patient { name } errors { field messages } } }""",
    ),
    "updatePatient": (
        "change",
        """mutation ($id: ID!) { updatePatient(input: {id: $id, name: "Changed"}) {
             patient { name } errors { field messages } } }""",
    ),
    "dischargePatient": (
        "change",
        """mutation ($id: ID!) { dischargePatient(input: {id: $id}) {
             patient { status } errors { field messages } } }""",
    ),
    "deletePatient": (
        "delete",
        """mutation ($id: ID!) { deletePatient(input: {id: $id}) {
             patient { name } errors { field messages } } }""",
    ),
}
SUBSCRIPTIONS = {
    "onNewPatient": ("view", "subscription { onNewPatient { message } }"),
    "onPatientChanged": (
        "view",
        "subscription ($id: ID) { onPatientChanged(id: $id) { change } }",
    ),
}
# Those of the rooms and notices are another app's; imports need two permissions, and staff.
# They are tested there.
OTHERS = {
    *("importRun", "uploadImportFile", "importPatients", "onImportProgress"),
    *("position", "history", "notices", "sendChatMessage", "publishNotice"),
    *("onNewChatMessage", "onNoticePublished", "presence", "onPresence"),
}
OPERATIONS = {**QUERIES, **MUTATIONS}


def rows():
    return list(Patient.objects.order_by("pk").values())
