"""Train a small Segment Anything on photographs, for trying the SAM oracle with weights that mean something."""
