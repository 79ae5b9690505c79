"""The command line: `znought --help`."""


def main() -> None:
    """Entry point."""
