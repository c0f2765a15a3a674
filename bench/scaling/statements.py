"""What a PostgreSQL server was asked, by its own log: BEGIN, COMMIT and signs of life included."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg

from tests.postgres import PORT

ASKED = re.compile(rb"LOG:  (?:statement|execute [^:]+): *(\w*)")


@dataclass(frozen=True)
class Asked:
    """How many statements there were in all, and how many transactions of them wrote or only read."""

    statements: int
    transactions: int


class StatementLog:
    """Reads the log of a server of the tests' own (`tests.postgres`), which writes down every statement from now on."""

    def __init__(self, database_url: str) -> None:
        folder = parse_qs(urlsplit(database_url).query)["host"][0]
        with psycopg.connect(host=folder, port=PORT, user="postgres", dbname="postgres", autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET log_statement = 'all'")
            connection.execute("SELECT pg_reload_conf()")
            while connection.execute("SHOW log_statement").fetchone() != ("all",):
                pass  # the server's processes hear of it one by one
        self._file = (Path(folder) / "log").open("rb")
        self.take()

    def take(self) -> Asked:
        """What was asked since it was taken last."""
        words = [word.upper() for word in ASKED.findall(self._file.read())]
        return Asked(len(words), words.count(b"BEGIN"))

    def close(self) -> None:
        self._file.close()
