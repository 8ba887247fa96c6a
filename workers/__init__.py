"""The deployable processes beside the api: relay, simulate, demo."""
