"""What needs a person and what happened lately, over everything that is remembered."""
