"""When a server that asks to wait may be asked again."""

import pytest

from eftclip.retry_after import UNSAID, wait_s, when

DATE = "Wed, 21 Oct 2026 07:28:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds", "words"),
    [
        ({"retry-after": "90"}, 90, "in 90 s"),
        ({"retry-after": "0"}, 1, "in 1 s"),
        ({"retry-after": " 900 "}, 900, "in 15 minutes"),
        ({"retry-after": "36000"}, 36_000, "in 10 hours"),
        ({"retry-after": "Wed, 21 Oct 2026 07:30:30 GMT", "date": DATE}, 150, "in 2 minutes"),
        ({"retry-after": "Wed, 21 Oct 2026 07:00:00 GMT", "date": DATE}, 1, "in 1 s"),
        ({"ratelimit": '"api";r=0;t=55', "ratelimit-policy": '"fixed window";"api";q=500;w=300'}, 55, "in 55 s"),
        ({"retry-after": "7", "ratelimit": '"api";r=0;t=55'}, 7, "in 7 s"),
        ({}, None, UNSAID),
        ({"retry-after": "soon"}, None, UNSAID),
        ({"retry-after": "-5"}, None, UNSAID),
        ({"retry-after": "9" * 5000}, None, UNSAID),
        ({"retry-after": "Wed, 21 Oct 2026 07:30:30 GMT"}, None, UNSAID),
        ({"retry-after": "Wed, 21 Oct 2026 07:30:30", "date": DATE}, None, UNSAID),
        ({"ratelimit": "none"}, None, UNSAID),
    ],
)
def test_whatever_a_server_says_of_waiting(headers: dict[str, str], seconds: int | None, words: str) -> None:
    assert wait_s(headers) == seconds
    assert when(headers) == words
