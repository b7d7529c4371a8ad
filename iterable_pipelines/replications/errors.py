"""What keeps a replication from being made, whatever the network does."""


class ReplicationRefused(Exception):
    """The rows do not fit the declaration, or too many would be deleted. The same again gives the same answer.

    `then` is the next command, where it is not to look at the declaration.
    """

    def __init__(self, message: str, then: str | None = None) -> None:
        super().__init__(message)
        self.then = then
