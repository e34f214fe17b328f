"""What is refused about uploads, beside what ``kit.pictures`` refuses."""

from __future__ import annotations

from hamyon.kit.errors import NotFound


class UploadNotFound(NotFound):
    """Absent, expired or somebody else's: ``upload_id``. Strangers cannot tell these apart."""

    code = "upload_not_found"
