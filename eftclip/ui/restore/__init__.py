"""Results of an earlier visit: kept when work ends, shown again when their visitor comes back."""
