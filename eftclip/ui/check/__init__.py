"""Step 2: judge one photograph."""
