"""Where the benchmark page is served.

A route of its own and not a second page of Gradio's: that would load the whole client, open a session (of which the
server keeps a bounded number) and a stream for a page on which nothing is computed, and its tables neither sort numbers
that stand with their counts nor fit a phone. So the page is made once, when the app starts, and is one document.
"""

from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from eftclip.benchmark import results_folder
from eftclip.ui.benchmark.page import benchmark_page, policy

PATH = "/benchmark"


def benchmark_route() -> Route:
    """The route, with its page already made."""
    body = benchmark_page(results_folder()).encode()
    headers = {"Content-Security-Policy": policy(), "X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}

    async def show(request: Request) -> HTMLResponse:
        return HTMLResponse(body, headers=headers)

    return Route(PATH, show, methods=["GET"])
