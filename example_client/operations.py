"""The GraphQL documents that the client sends."""

from dataclasses import dataclass
from typing import Any

PATIENT = """
fragment patient on Patient {
  id name birthDate sex reason status admittedAt dischargedAt externalId
  category { code name }
}
"""

LOGIN = """
mutation Login($username: String!, $password: String!) {
  login(username: $username, password: $password) { ok }
}
"""

POSITION = "{ position }"

CATEGORIES = "{ diseaseCategories { code name } }"

PATIENTS = (
    """
query Patients($category: String, $status: PatientStatus, $search: String, $first: Int) {
  patients(category: $category, status: $status, search: $search, first: $first) {
    totalCount
    edges { node { ...patient } }
  }
}
"""
    + PATIENT
)

CREATE = (
    """
mutation Create($input: CreatePatientMutationInput!) {
  createPatient(input: $input) { patient { ...patient } errors { field messages } }
}
"""
    + PATIENT
)

DISCHARGE = (
    """
mutation Discharge($input: DischargePatientMutationInput!) {
  dischargePatient(input: $input) { patient { ...patient } errors { field messages } }
}
"""
    + PATIENT
)


@dataclass(frozen=True)
class Subscription:
    """A subscription to watch.

    Args:
        field: its name.
        tells: what it tells of, in words.
        document: what asks for it, after the cursor in the variable `after`.
    """

    field: str
    tells: str
    document: str

    def kind(self, notification: dict[str, Any]) -> str:
        """Return what happened to the patient: NEW, UPDATED, DISCHARGED or DELETED."""
        return str(notification.get("change") or "NEW")


NEW_PATIENT = Subscription(
    "onNewPatient",
    "new patients",
    """
subscription NewPatient($category: String, $after: String) {
  onNewPatient(category: $category, after: $after) { cursor message patient { ...patient } }
}
"""
    + PATIENT,
)

PATIENT_CHANGED = Subscription(
    "onPatientChanged",
    "changes of patients",
    """
subscription PatientChanged($category: String, $after: String) {
  onPatientChanged(category: $category, after: $after) {
    cursor change message patient { ...patient }
  }
}
"""
    + PATIENT,
)

WATCHED = (NEW_PATIENT, PATIENT_CHANGED)

PROGRESS = "state done total rejected created updated unchanged finished error"

UPLOAD = """
mutation Upload($file: ImportFile!, $content: String!, $upload: ID) {
  uploadImportFile(file: $file, content: $content, upload: $upload) { upload }
}
"""

IMPORT = """
mutation Import($directory: String, $upload: ID, $chapters: String, $skipBad: Boolean!) {
  importPatients(directory: $directory, upload: $upload, chapters: $chapters, skipBad: $skipBad) {
    id
  }
}
"""

IMPORT_PROGRESS = f"""
subscription ImportProgress($id: ID!) {{
  onImportProgress(id: $id) {{ {PROGRESS} }}
}}
"""

IMPORT_RUN = f"""
query ImportRun($id: ID!) {{
  importRun(id: $id) {{
    id startedAt finishedAt {PROGRESS} rejects {{ file line reason }}
  }}
}}
"""
