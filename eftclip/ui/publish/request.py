"""Where a visitor wants a checkpoint published, checked like everything else that comes over the network."""

from dataclasses import dataclass

from eftclip.errors import PublishError
from eftclip.publish import check_name
from eftclip.ui.components.validation import single_line


@dataclass(frozen=True)
class PublishRequest:
    """Where a mended checkpoint goes, as typed.

    Attributes:
        repo_id: `org/name`.
        private: whether a new repository is private.
        anyway: the visitor has read what speaks against it.
    """

    repo_id: str
    private: bool
    anyway: bool


def publish_request(repo_id: object, private: object, anyway: object) -> PublishRequest:
    """What came over the network.

    Raises:
        PublishError: that is no name of a repository.
    """
    name = single_line(repo_id).removeprefix("hf:")
    if not name:
        raise PublishError("No repository is named. Write org/name: your name or an organisation, and a new name.")
    check_name(name)
    return PublishRequest(name, private is True, anyway is True)
