"""The sign-in of Hugging Face: where it works, and for whom its token is used."""

import os
from urllib.parse import urlsplit

import gradio as gr

# What a Space with `hf_oauth: true` has. Gradio needs all of it: where some is missing, it pretends to sign people in
# with this machine's own token, or does not start at all.
SIGN_IN = ("SPACE_ID", "OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET", "OAUTH_SCOPES", "OPENID_PROVIDER_URL")


def can_sign_in() -> bool:
    """Whether the sign-in of Hugging Face works here: on a Space that asks for it, and nowhere else."""
    return os.environ.get("SYSTEM") == "spaces" and all(os.environ.get(name) for name in SIGN_IN)


def token_of_our_page(request: gr.Request, token: gr.OAuthToken | None) -> str | None:
    """The token of the sign-in, if it is our own page that asks.

    The browser sends the cookie of the session along with whatever any page sends here, and on a Space Gradio answers
    them all: without this, a page of somebody else could see who is signed in, and publish in his name.
    """
    origin = request.headers.get("origin")
    ours = {request.headers.get("host"), *os.environ.get("SPACE_HOST", "").split(",")} - {"", None}
    return token.token if token and (origin is None or urlsplit(origin).netloc in ours) else None
