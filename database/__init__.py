"""What is remembered: predictions, outcomes, batches, models, drift reports, events."""
