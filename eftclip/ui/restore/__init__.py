"""Results of an earlier visit, shown again."""
