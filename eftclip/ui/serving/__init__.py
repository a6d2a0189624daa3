"""What serves every step: sessions, queue, result store, request guard, GPUs."""
