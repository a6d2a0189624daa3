"""What samples that read alike show together: a pattern that they share, a label that a small blur takes from all."""
