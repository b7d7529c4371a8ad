"""Syncs of things: what goes to Iterable under a natural key of its own and names no user (outbound.md 4.1)."""

from pydantic import model_validator

from iterable_pipelines.activation.declaration import Sync


class ThingSync(Sync):
    """What syncs of things have in common: their records go by the thing, whichever row they come from."""

    needs_user = False
    takes_fields = True
    code_of_doubles = "duplicate_key"

    @property
    def is_looked_up(self) -> bool:
        """Whether it has to be known, before something is sent, if it is at Iterable already."""
        return self.mode in ("insert", "update")

    @model_validator(mode="after")
    def _deletes_in_mirror_only(self) -> "ThingSync":
        if self.on_leave == "delete" and "mirror" in self.modes and self.mode != "mirror":
            raise ValueError("`on_leave: delete` needs `mode: mirror`")
        return self

    @model_validator(mode="after")
    def _names_nobody(self) -> "ThingSync":
        if self.match is not None:
            raise ValueError(f"`match` names a user, and a {self.object} is none: leave it out")
        return self
