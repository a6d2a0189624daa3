"""What serves every step: sessions, result store, queue, files, request guard, loaded checkpoints, ZeroGPU."""
