"""Data sets on the Hub: the files of a repository at one commit, sorted into splits and streamed."""

from eftclip.data.sets.hub.dataset import open_hub
from eftclip.data.sets.hub.repository import HUB_PREFIX

__all__ = ["HUB_PREFIX", "open_hub"]
