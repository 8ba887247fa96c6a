"""Everything on one machine: engines from PyPI and a simulated pipeline."""
