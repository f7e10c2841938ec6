"""What a fitted model is and does: its files, its registry, its answers."""
