"""Names and texts as SQL writes them."""


def quoted(name: str) -> str:
    """A name of a column or table, whatever it holds."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as a value."""
    return "'" + text.replace("'", "''") + "'"
