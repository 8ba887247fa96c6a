"""The page and the client in a real browser, against real processes."""
