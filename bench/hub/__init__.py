"""The push hub beside its peers: `run.py` starts the servers and says what is measured on them."""
