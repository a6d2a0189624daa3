"""The Hub's sign-in on a local port: OpenID as a Space's visitors know it, on top of the Hub that they publish to."""

import base64
import json
import secrets
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from joserfc import jwt
from joserfc.jwk import RSAKey
from support.hub import GOOD_TOKEN
from support.hub_answers import Answer, as_json, refusal
from support.hub_writing import TOKENS, WritableHub

CLIENT, SECRET = "eftclip-of-the-tests", "a-secret-of-the-space"
SCOPES = "openid profile contribute-repos write-discussions"  # those of the README, and what every Space gets
LASTS_S = 8 * 3600


@dataclass(frozen=True)
class Asked:
    """What a visitor was sent here with, until the Space comes for his token."""

    redirect_uri: str
    nonce: str
    account: str


class SignInHub(WritableHub):
    """A Hub that signs people in; nobody is asked anything, as if he had agreed before.

    Attributes:
        account: whose account the next one has who signs in, a token of `TOKENS`.
        issued: by access token, whose account it is for.
        withdrawn: those of them that the Hub knows no longer.
        seen: every token that any request carried, for the question whose tokens the app uses.
    """

    def __init__(self) -> None:
        """Start to listen."""
        self.account = GOOD_TOKEN
        self.issued: dict[str, str] = {}
        self.withdrawn: set[str] = set()
        self.seen: set[str] = set()
        self._asked: dict[str, Asked] = {}
        self._key = RSAKey.generate_key(2048, {"kid": "tests", "alg": "RS256", "use": "sig"})
        super().__init__()

    def reply(
        self, method: str, path: str, asked: dict[str, list[str]], token: str | None, body: bytes
    ) -> Answer | None:
        """See `Hub.reply`."""
        if (found := self._sign_in(path, {key: values[0] for key, values in asked.items()}, token)) is not None:
            return found
        if token is not None:
            self.seen.add(token)
        answer = super().reply(method, path, asked, self._account(token), body)
        if path == "/api/whoami-v2" and token in self.issued and answer is not None and answer.status == 200:
            who = json.loads(answer.body)
            # Of a sign-in the Hub says no role: what it may is a matter of its scopes.
            return as_json({**who, "auth": {"type": "app_token_as_user", "expiresAt": "2030-01-01T00:00:00.000Z"}})
        return answer

    def answer(self, path: str, token: str | None, asked: dict[str, list[str]], extent: str = "") -> Answer:
        """See `Hub.answer`; here everybody whom the Hub knows may read everything."""
        known = self._account(token) in TOKENS
        return super().answer(path, GOOD_TOKEN if known else token, asked, extent)

    def _account(self, token: str | None) -> str | None:
        """The token of `TOKENS` that one from a sign-in stands for; every other is what it is."""
        return token if token in self.withdrawn else self.issued.get(token or "", token)

    def _sign_in(self, path: str, asked: dict[str, str], authorisation: str | None) -> Answer | None:
        if path == "/.well-known/openid-configuration":
            return as_json(
                {
                    "issuer": self.url,
                    "authorization_endpoint": f"{self.url}/oauth/authorize",
                    "token_endpoint": f"{self.url}/oauth/token",
                    "jwks_uri": f"{self.url}/oauth/jwks",
                    "id_token_signing_alg_values_supported": ["RS256"],
                }
            )
        if path == "/oauth/jwks":
            return as_json({"keys": [self._key.as_dict(private=False)]})
        if path == "/oauth/authorize":
            return self._authorise(asked)
        if path == "/oauth/token":
            return self._hand_out(asked, authorisation)
        return None

    def _authorise(self, asked: dict[str, str]) -> Answer:
        """Back to the Space with a code."""
        target = asked.get("redirect_uri", "")
        known = asked.get("client_id") == CLIENT and asked.get("response_type") == "code"
        if not known or asked.get("scope") != SCOPES or not target.startswith("https://"):
            return refusal(400, "This is no request of the Space")
        code = secrets.token_urlsafe(16)
        self._asked[code] = Asked(target, asked["nonce"], self.account)
        # Before a Space there is somebody who speaks https; here the app itself is asked, which does not.
        target = target.replace("https://", "http://", 1)
        back = f"{target}{'&' if '?' in target else '?'}{urlencode({'code': code, 'state': asked['state']})}"
        return Answer(302, b"", {"Location": back})

    def _hand_out(self, asked: dict[str, str], authorisation: str | None) -> Answer:
        """A token for a code, once."""
        secret = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if authorisation != f"Basic {secret}":
            return refusal(401, "invalid_client")
        given = self._asked.pop(asked.get("code", ""), None)
        if given is None or asked.get("redirect_uri") != given.redirect_uri:
            return refusal(400, "invalid_grant")
        token = f"hf_oauth_{secrets.token_urlsafe(24)}"
        self.issued[token] = given.account
        return as_json(
            {
                "access_token": token,
                "token_type": "bearer",
                "expires_in": LASTS_S,
                "scope": SCOPES,
                "id_token": jwt.encode({"alg": "RS256", "kid": "tests"}, self._claims(given), self._key),
            }
        )

    def _claims(self, given: Asked) -> dict[str, Any]:
        name, now = TOKENS[given.account][0], int(time.time())
        return {
            "iss": self.url,
            "aud": CLIENT,
            "sub": name,
            "iat": now,
            "exp": now + 3600,
            "nonce": given.nonce,
            "name": name.title(),
            "preferred_username": name,
            "profile": f"{self.url}/{name}",
            "picture": f"{self.url}/{name}.png",
        }
