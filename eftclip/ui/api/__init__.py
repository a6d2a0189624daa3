"""The end points for programs."""
