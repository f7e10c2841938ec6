"""Are models and data still right? Drift of what is stored, errors, promises, trials, alerts."""
