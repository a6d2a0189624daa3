"""Step 4: rectify the checkpoint."""
