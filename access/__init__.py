"""Who may do what: roles, keys, users, and the record of who looked. It answers no request and draws no page."""
