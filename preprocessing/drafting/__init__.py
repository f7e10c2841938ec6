"""Drafts a domain from a file: what its columns hold, what tells rows apart, when, and what can be predicted."""
