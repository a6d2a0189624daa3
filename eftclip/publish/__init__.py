"""From a folder that `rectify` wrote to a repository on the Hub, all or nothing, with the visitor's own token."""

from eftclip.publish.client import Account, account, bound_requests, own_token, writer
from eftclip.publish.hub import Published, publish
from eftclip.publish.staging import PICTURES, RECORD, Staged, check_name, doubts, stage

__all__ = [
    "PICTURES",
    "RECORD",
    "Account",
    "Published",
    "Staged",
    "account",
    "bound_requests",
    "check_name",
    "doubts",
    "own_token",
    "publish",
    "stage",
    "writer",
]
