"""The banner of a verdict, and of work that goes on."""

from eftclip.runtime import Progress
from eftclip.ui.components.html import escape
from eftclip.ui.components.texts import Message

_ICONS = {
    "found": '<path d="M12 3 2.5 20h19L12 3Z"/><path d="M12 10v4.5M12 17.4v.1"/>',
    "not_found": '<circle cx="11" cy="11" r="7"/><path d="m16.2 16.2 4.8 4.8M8 11h6"/>',
    "inconclusive": '<circle cx="12" cy="12" r="9"/>'
    '<path d="M9.3 9.4a2.8 2.8 0 1 1 3.9 2.6c-.9.4-1.2 1-1.2 2M12 17v.1"/>',
    "error": '<path d="M8 3h8l5 5v8l-5 5H8l-5-5V8l5-5Z"/><path d="m9 9 6 6M15 9l-6 6"/>',
    "idle": '<circle cx="12" cy="12" r="9" stroke-dasharray="3 3.3"/>',
    "running": '<path d="M12 3a9 9 0 1 1-9 9"/>',
    "mended": '<path d="M12 3 4.5 6v5.5c0 4.6 3.2 7.9 7.5 9.5 4.3-1.6 7.5-4.9 7.5-9.5V6L12 3Z"/>'
    '<path d="m8.7 11.9 2.4 2.4 4.3-4.6"/>',
}
_TAGS = {
    "found": "Found",
    "not_found": "Not found",
    "inconclusive": "Inconclusive",
    "error": "Error",
    "idle": "No verdict yet",
    "running": "Checking",
    "mended": "Rectified",
}


def banner(status: str, message: Message, progress: Progress | None = None, tag: str = "") -> str:
    """The verdict: one look per status, told by colour, by icon and in words; while it runs, how far it is.

    Args:
        status: of the verdict, or what goes before it.
        message: the words.
        progress: how far the work is.
        tag: one word above the headline; the usual one of the status when left out.
    """
    role = "alert" if status == "error" else "status"
    small = f'<p class="eft-small">{escape(message.small)}</p>' if message.small else ""
    bar = _progress(progress) if progress else ""
    return (
        f'<section class="eft-banner eft-{status}" role="{role}" data-status="{status}">'
        f'<svg viewBox="0 0 24 24" aria-hidden="true">{_ICONS[status]}</svg>'
        f'<div><p class="eft-tag">{escape(tag or _TAGS[status])}</p><h3>{escape(message.headline)}</h3>'
        f"<p>{escape(message.text)}</p>{small}{bar}</div></section>"
    )


def _progress(progress: Progress) -> str:
    """How far it is; without a total only what is done, and the bar says that it goes on."""
    pace = f" ({escape(progress.pace)})" if progress.pace else ""
    if not progress.total:
        done = f": {progress.done:,}{pace}" if progress.done else ""
        return (
            f'<p class="eft-small">{escape(progress.stage)}{done}</p>'
            '<span class="eft-track eft-endless"><span></span></span>'
        )
    share_done = min(max(progress.done / progress.total, 0.0), 1.0)
    return (
        f'<p class="eft-small">{escape(progress.stage)}: {progress.done:,} of {progress.total:,}{pace}</p>'
        f'<span class="eft-track"><span style="width:{100 * share_done:.1f}%"></span></span>'
    )


def running_banner(message: Message, progress: Progress | None, tag: str) -> str:
    """The banner while long work goes on."""
    return banner("running", message, progress, tag)
