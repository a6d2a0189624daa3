"""Layouts of data sets: where the texts of pictures stand, told from names and small files alone."""
