"""Colours manga chapters by a Nurie server: `from nurie_client import Client`."""

from nurie_client.client import Client
from nurie_client.errors import NurieError
from nurie_client.records import Job, Page, Series
from nurie_client.sources import Source

__all__ = ["Client", "Job", "NurieError", "Page", "Series", "Source"]
