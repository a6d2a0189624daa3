"""Step 5: publish it on the Hub."""
