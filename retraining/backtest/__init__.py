"""What a retraining policy would have done to the past."""
