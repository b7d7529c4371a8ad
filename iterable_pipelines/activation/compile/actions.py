"""What is done to a user once: deleted, forgotten, no longer forgotten."""

from typing import Any

from iterable_pipelines.activation.compile.compiler import Acknowledged, Row
from iterable_pipelines.activation.compile.rows import RowCompiler
from iterable_pipelines.activation.objects import UserActionSync
from iterable_pipelines.activation.records import Compiled, Issue, Record

OUTPUT = "user_action"


class ActionCompiler(RowCompiler[UserActionSync]):
    """Rows of a user_action sync; an action is also the name of its endpoint."""

    def compile(self, pk: str, row: Row, seq: int = 0, before: Acknowledged | None = None) -> Compiled:
        """One user, named by one identifier: two could be two users."""
        issues: list[Issue] = []
        who = self.who(row, issues)
        if who is None:
            return Compiled(issues=tuple(issues))
        payload: dict[str, Any] = {who.identity.kind: who.identity.value}
        return Compiled((Record(OUTPUT, self.sync.action, payload, who.identity, pk),), tuple(issues))
