"""The command line: `iterable-pipelines` and its commands, one file each."""

from iterable_pipelines.cli.app import app, main

__all__ = ["app", "main"]
