"""The dashboard, served as static files."""
