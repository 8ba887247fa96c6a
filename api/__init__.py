"""The Litestar app: who asks, list and get, the push hub, and the page."""
