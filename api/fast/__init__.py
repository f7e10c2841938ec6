"""Predicting with no framework in between: the routes that most requests take."""
