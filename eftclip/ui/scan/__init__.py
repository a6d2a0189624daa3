"""Step 3: scan a data set."""
