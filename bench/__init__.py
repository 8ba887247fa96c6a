"""Measurements. Each is a module with `run()` that gives a Report, or several one by one; `plan.py` lists them."""
