"""Work in the background: a durable queue, the kinds of jobs, the worker that does them, what runs on a schedule."""
