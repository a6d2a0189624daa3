"""When a server that asks to wait may be asked again."""

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

RESET = re.compile(r";\s*t\s*=\s*(\d{1,9})")  # of `"api";r=0;t=55`: seconds until requests are counted anew
UNSAID = "in a few minutes"  # where too many requests are all that is known


def wait_s(headers: Mapping[str, str]) -> int | None:
    """Seconds for which a server asks to wait, at least 1; None where it does not say.

    Args:
        headers: of its answer, by names in lower case: `retry-after`, in seconds or as a date, or `ratelimit`.
    """
    asked = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}", asked):
        return max(1, int(asked))
    if asked:
        try:  # against the server's own clock: this machine's may be wrong
            until, now = parsedate_to_datetime(asked), parsedate_to_datetime(headers.get("date", ""))
            return max(1, round((until - now).total_seconds()))
        except (ValueError, TypeError, OverflowError):
            return None
    reset = RESET.search(headers.get("ratelimit", ""))
    return max(1, int(reset[1])) if reset else None


def when(headers: Mapping[str, str], unsaid: str = UNSAID) -> str:
    """The same in words that follow "try again"; `unsaid` where the server does not say."""
    seconds = wait_s(headers)
    if seconds is None:
        return unsaid
    if seconds < 120:
        return f"in {seconds} s"
    return f"in {round(seconds / 60)} minutes" if seconds < 7200 else f"in {round(seconds / 3600)} hours"
