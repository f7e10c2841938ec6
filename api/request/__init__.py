"""What is true of every request before a route sees it: headers, origin, credentials, limits, deadlines, body."""
