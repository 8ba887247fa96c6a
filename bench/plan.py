"""What is measured, and in which order."""

# Those in one group run at the same time: `failover` waits for leases to end most of the time, and `churn`
# measures memory only, so neither takes from the other what is measured.
GROUPS = (("latency",), ("list",), ("relay",), ("fleet",), ("hub",), ("polling",), ("failover", "churn"))

# In the order in which results are shown.
MODULES = {
    "latency": "bench.latency",
    "list": "bench.list",
    "relay": "bench.relay",
    "fleet": "bench.fleet",
    "failover": "bench.failover",
    "hub": "bench.hub.run",
    "churn": "bench.hub.churn",
    "polling": "bench.polling",
}

# `make bench WHAT=hub` means all that is said of the hub.
TOGETHER = {"relay": ("relay", "fleet", "failover"), "hub": ("hub", "churn")}


def chosen(names: list[str]) -> list[list[str]]:
    """Return the groups with only what was named in them; all of it where nothing was."""
    wanted = {part for name in names for part in TOGETHER.get(name, (name,))} or set(MODULES)
    groups = [[part for part in group if part in wanted] for group in GROUPS]
    return [group for group in groups if group]
