"""Repositories of checkpoints on the Hub: what is downloaded of them, kept on this machine, and said when it fails."""
