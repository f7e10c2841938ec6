"""The command line. Nothing is imported here: `cli.start` starts a server without it."""
