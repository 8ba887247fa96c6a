"""`python -m streams create-table`: make the jobs table and the leases table."""

import argparse
import os
import sys

from botocore.exceptions import BotoCoreError, ClientError

from streams.errors import HeadwayError
from streams.settings import settings_from
from streams.table.endpoint import plain_client
from streams.table.schema import create_tables


def main() -> None:
    """Run the command that was asked for; exit with 1 and one line where it cannot be done."""
    parser = argparse.ArgumentParser(prog="python -m streams")
    parser.add_subparsers(dest="command", required=True).add_parser(
        "create-table", help="make the jobs table (index, stream, TTL) and the leases table where they are missing"
    )
    parser.parse_args()
    try:
        settings = settings_from(os.environ)
        client = plain_client("dynamodb", os.environ)
        for line in create_tables(client, settings.table, settings.leases_table):
            print(line)
    except (HeadwayError, BotoCoreError, ClientError) as error:
        sys.exit(f"create-table: {error}")


if __name__ == "__main__":
    main()
