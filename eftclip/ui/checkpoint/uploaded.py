"""A checkpoint that a visitor brought, as a value: how he calls it, what it is, and where it lies for an hour."""

from dataclasses import dataclass, field
from pathlib import Path

from eftclip.errors import CheckpointError

NONE_YET = "No checkpoint is uploaded yet: choose its weight file, its files, or a zip archive of its folder."


@dataclass(frozen=True)
class UploadedCheckpoint:
    """Equal to any other upload of the same files.

    Attributes:
        name: that the visitor knows it by; nobody is told another one.
        digest: sha256 of the names and contents of its files, 64 hex digits.
        location: folder or weight file on this server.
    """

    name: str
    digest: str
    location: str = field(compare=False, repr=False)

    def check_there(self) -> None:
        """Before it is used.

        Raises:
            CheckpointError: its hour is over.
        """
        if not self.location or not Path(self.location).exists():
            raise CheckpointError(f"The uploaded checkpoint {self.name} was deleted after an hour; upload it again.")
