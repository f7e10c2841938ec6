"""Are two samples alike? Statistics over samples and profiles; knows no store and no model."""
