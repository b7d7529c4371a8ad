"""`python -m iterable_pipelines.cli` is `iterable-pipelines`."""

from iterable_pipelines.cli.app import main

main()
