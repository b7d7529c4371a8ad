"""The project of Iterable that a sync writes to: the one of the settings, or the one that its `connection` names."""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Literal

from iterable_pipelines.activation.declaration import Sync
from iterable_pipelines.api import REGIONS, Iterable, Ledger, Patience, Priority
from iterable_pipelines.settings import Settings, SettingsError
from iterable_pipelines.variables import variable

ProjectType = Literal["email", "userid", "hybrid"]


@dataclass(frozen=True)
class Project:
    """Where to write, with which key, and what identifies a user there (I3)."""

    url: str
    type: ProjectType
    key: str = field(repr=False)
    settings: Settings = field(repr=False)

    @classmethod
    def of(cls, settings: Settings, sync: Sync) -> "Project":
        """The project of a sync. Raises SettingsError when its key is not set."""
        named = sync.connection
        if named is None:
            key = settings.api_key.get_secret_value() if settings.api_key else None
            url, kind, name = settings.url, settings.project_type, "ITERABLE_API_KEY"
        else:
            key, name = variable(named.key_env, settings.project_root), named.key_env
            # the sandbox is both data centres
            url, kind = settings.base_url or REGIONS[named.region], named.project_type
        if not key:
            raise SettingsError(
                f"syncs/{sync.name}.yml needs the key of an Iterable project: {name} is not set. Nothing was sent.\n"
                f"Next: write {name}=… into .env, then iterable-pipelines check"
            )
        return cls(url, kind, key, settings)

    @property
    def fingerprint(self) -> str:
        """What tells this project from any other: its address and its key, neither of them readable (S10)."""
        return sha256(f"{self.url} {self.key}".encode()).hexdigest()[:16]

    def client(
        self, log: Callable[[str], None], priority: Priority = Priority.HOURLY, patience: Patience | None = None
    ) -> Iterable:
        """A client of its own for one thread; all of them share the ledger of limits."""
        ledger = Ledger.of(self.settings)
        return Iterable(self.key, self.url, ledger, log=log, priority=priority, patience=patience)
