"""Ask the Headway process of this container whether it is `live` or `ready`; exit with 1 where it is not.

`python -S probe.py live`. The api answers on HEADWAY_PORT, a relay on HEADWAY_METRICS_PORT: whichever is there is asked.
"""

import os
import socket
import sys

PORTS = {"HEADWAY_PORT": "8000", "HEADWAY_METRICS_PORT": "9100"}
WITHIN = 4  # seconds


def main() -> None:
    """Print what the process answers."""
    for variable, default in PORTS.items():
        try:
            answer = ask(int(os.environ.get(variable) or default), sys.argv[1])
        except ConnectionRefusedError:
            continue
        print(answer.rpartition("\r\n")[2].strip())
        sys.exit(0 if answer.split()[1:2] == ["200"] else 1)
    sys.exit("nobody listens")


def ask(port: int, what: str) -> str:
    """Return the whole answer; by hand, since to import an HTTP client takes longer than to ask."""
    with socket.create_connection(("localhost", port), timeout=WITHIN) as connection:
        connection.sendall(f"GET /health/{what} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        return b"".join(iter(lambda: connection.recv(4096), b"")).decode()


if __name__ == "__main__":
    main()
