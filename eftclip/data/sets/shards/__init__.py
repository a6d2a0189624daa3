"""Tar archives: WebDataset shards, and trees that were packed as they lay."""
