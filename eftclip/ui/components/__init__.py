"""What the steps of the page share."""
