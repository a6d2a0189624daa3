"""The zoo: small CLIP checkpoints, poisoned in the plain way, that nobody tuned the detector to."""
