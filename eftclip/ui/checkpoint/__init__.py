"""Step 1: which checkpoint is under test."""
