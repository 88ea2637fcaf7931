"""Importing in the background: upload files, start, and ask how far it is."""

from typing import Any

import graphene
from django.utils import timezone

from live.errors import BadInput
from patients.imports import selectors, services
from patients.imports.models import ImportRun, UploadedPart
from patients.imports.progress import progress_of
from patients.schema.import_progress import OnImportProgress, Progress, import_id, import_pk
from patients.schema.text import check_text

ImportFile = graphene.Enum.from_enum(UploadedPart.File, name="ImportFile")


class RejectedRow(graphene.ObjectType):
    """A row that cannot be imported."""

    file = graphene.String(required=True)
    line = graphene.Int(required=True)
    reason = graphene.String(required=True, description="Names the column, not its value.")


class ImportRunType(Progress, graphene.ObjectType):
    """An import that a worker runs."""

    id = graphene.ID(required=True)
    started_at = graphene.DateTime(required=True)
    finished_at = graphene.DateTime()
    rejects = graphene.List(
        graphene.NonNull(RejectedRow),
        required=True,
        description="The first 1000 rejected rows; `rejected` counts all.",
    )

    class Meta:
        name = "ImportRun"


def shown(run: ImportRun) -> ImportRunType:
    """Return `run` as it is to be seen now."""
    progress = progress_of(run, timezone.now())
    progress["state"] = ImportRun.State(progress["state"])
    return ImportRunType(
        id=import_id(run.pk),
        started_at=run.started_at,
        finished_at=run.finished_at,
        rejects=[RejectedRow(**row) for row in run.rejects],
        **progress,
    )


class UploadImportFilePayload(graphene.Mutation):
    """Append text to a file of an upload; `importPatients` then imports it.

    For staff who may add and change patients in every category.
    """

    upload = graphene.ID(required=True, description="For the next part, and importPatients.")

    class Arguments:
        file = graphene.Argument(ImportFile, required=True)
        content = graphene.String(
            required=True, description="CSV, or a part of it that ends anywhere."
        )
        upload = graphene.ID(description="The upload to go on with; without it, a new one.")

    @staticmethod
    def mutate(
        root: Any,
        info: graphene.ResolveInfo,
        file: UploadedPart.File,
        content: str,
        upload: str | None = None,
    ) -> "UploadImportFilePayload":
        selectors.require_import_right(user=info.context.user)
        check_text(content=content)
        run = services.upload_part(
            user=info.context.user,
            pk=import_pk(upload) if upload is not None else None,
            file=UploadedPart.File(file),
            content=content.encode(),
        )
        return UploadImportFilePayload(upload=import_id(run.pk))


class ImportPatientsPayload(graphene.Mutation):
    """Start an import of Synthea's patients.csv and encounters.csv; a worker carries it out.

    From a directory of the server's, or from an upload: one of the two. For staff who may
    add and change patients in every category. `onImportProgress` tells how far it is.
    """

    id = graphene.ID(required=True, description="For onImportProgress and importRun.")
    import_run = graphene.Field(ImportRunType, required=True)

    class Arguments:
        directory = graphene.String(description="Below the server's import root.")
        upload = graphene.ID(description="As uploadImportFile returned it.")
        chapters = graphene.String(
            description="With a directory: the file in it with each reason's ICD-10 chapter."
        )
        skip_bad = graphene.Boolean(
            default_value=False,
            description="Write the good rows although there are bad ones; else nothing is written.",
        )

    @staticmethod
    def mutate(
        root: Any,
        info: graphene.ResolveInfo,
        directory: str | None = None,
        upload: str | None = None,
        chapters: str | None = None,
        skip_bad: bool = False,
    ) -> "ImportPatientsPayload":
        user = info.context.user
        selectors.require_import_right(user=user)
        check_text(directory=directory, chapters=chapters)
        _check_source(directory, upload, chapters)
        if upload is not None:
            run = services.start_upload(user=user, pk=import_pk(upload), skip_bad=bool(skip_bad))
        else:
            run = services.start_directory(
                user=user,
                directory=directory or "",
                chapters=chapters or "",
                skip_bad=bool(skip_bad),
            )
        return ImportPatientsPayload(id=import_id(run.pk), import_run=shown(run))


def _check_source(directory: str | None, upload: str | None, chapters: str | None) -> None:
    if (directory is None) == (upload is None):
        raise BadInput("Give either a directory or an upload.")
    if not directory and upload is None:
        raise BadInput("The directory is blank.")
    if chapters is not None and upload is not None:
        raise BadInput("An upload's table of chapters is uploaded with it.")


class ImportQueries(graphene.ObjectType):
    """What can be asked of imports."""

    import_run = graphene.Field(
        ImportRunType,
        required=True,
        id=graphene.ID(required=True),
        description="An import that one has started oneself.",
    )

    @staticmethod
    def resolve_import_run(root: Any, info: graphene.ResolveInfo, id: str) -> ImportRunType:
        return shown(selectors.import_of(user=info.context.user, pk=import_pk(id)))


class ImportMutations(graphene.ObjectType):
    """What can be done to import patients."""

    upload_import_file = UploadImportFilePayload.Field()
    import_patients = ImportPatientsPayload.Field()


class ImportSubscriptions(graphene.ObjectType):
    """What can be watched of imports."""

    on_import_progress = OnImportProgress.Field()
