"""Publishing as the page shows it."""

from dataclasses import dataclass

from eftclip.publish import Published
from eftclip.runtime import Progress
from eftclip.ui.components import html
from eftclip.ui.components.banner import banner, running_banner
from eftclip.ui.publish import texts


@dataclass(frozen=True)
class PublishView:
    """How publishing ended, or how far it is.

    Attributes:
        banner: HTML.
        doubted: something speaks against it, and the visitor may publish all the same.
    """

    banner: str
    doubted: bool = False


def refused(reason: str) -> PublishView:
    """Nothing was published."""
    return PublishView(banner("error", texts.failed(reason)))


def published(done: Published) -> PublishView:
    """It is on the Hub."""
    return PublishView(
        banner("mended", texts.published(done), tag="Published") + html.link(done.url, texts.link_text(done))
    )


def running(progress: Progress | None) -> str:
    """The banner while it goes on."""
    return running_banner(texts.RUNNING, progress, "Publishing")
