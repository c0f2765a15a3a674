"""`python -m nurie_client`: the command `nurie`."""

from nurie_client.cli.main import main

main()
