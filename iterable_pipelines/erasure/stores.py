"""Every store that may hold a person, one line each, in the order in which they are erased."""

from iterable_pipelines.erasure.dagster_history import DagsterHistory
from iterable_pipelines.erasure.lake import LakeFiles
from iterable_pipelines.erasure.landing import LandingFiles
from iterable_pipelines.erasure.other_files import OtherFiles
from iterable_pipelines.erasure.quarantine import QuarantinedDownloads
from iterable_pipelines.erasure.spool import SpooledWebhooks
from iterable_pipelines.erasure.store import Erased, Store
from iterable_pipelines.erasure.sync_states import SyncStates
from iterable_pipelines.erasure.track_calls import TrackCalls
from iterable_pipelines.erasure.warehouse import WarehouseFiles
from iterable_pipelines.erasure.webhook_files import WebhookFiles

__all__ = ["STORES", "Erased", "Store"]

# what is not named here is not erased. The warehouse comes last: it looks up in landing what was rewritten there
STORES: tuple[Store, ...] = (
    SpooledWebhooks(),
    LandingFiles(),
    WebhookFiles(),
    QuarantinedDownloads(),
    SyncStates(),
    TrackCalls(),
    OtherFiles(),
    DagsterHistory(),
    LakeFiles(),
    WarehouseFiles(),
)
