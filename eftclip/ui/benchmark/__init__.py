"""The benchmark page: what was measured, in tables that can be sorted; nothing is computed for it."""
