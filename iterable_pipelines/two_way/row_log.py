"""The tables of the warehouse's schema `two_way`: what runs did, record by record, and what is not alike now."""

from iterable_pipelines.activation.row_log import Tables

SCHEMA = "two_way"
KEPT_DAYS = 90
_NAME, _KEY = "text: The file two_way/NAME.yml.", "text: An item's id, or a template's."
TABLES: Tables = {
    "runs": (
        "One row for each run of a two-way synchronization.",
        {
            "run_id": "text: The run.",
            "name": _NAME,
            "started_at": "timestamp: UTC.",
            "finished_at": "timestamp: UTC.",
            "status": "text: succeeded; partial: some records wait for the next run; failed.",
            "counts": "json: By action, and by outcome, how many records.",
            "requests": "bigint: Writes to Iterable.",
            "note": "text: Why it ended early.",
        },
    ),
    "changes": (
        "One row for each record that a run did something with.",
        {
            "run_id": "text: The run.",
            "name": _NAME,
            "key": _KEY,
            "action": "text: to_remote, to_local, delete_remote, delete_local; agree: alike already; forget: gone on "
            "both sides; keep: deleted on one side and left alone on the other.",
            "outcome": "text: done; acknowledged, by Iterable; in_doubt or unsent: the next run does it; rejected; "
            "changed_meanwhile: the row was edited while the run was at work.",
            "code": "text: Why it was rejected.",
            "message": "text: The same as a sentence.",
            "noted_at": "timestamp: UTC.",
        },
    ),
    "conflicts": (
        "Records that are not alike on both sides and stay so until somebody does something, now.",
        {
            "name": _NAME,
            "key": _KEY,
            "code": "text: conflict, not_applied, unfit_value, duplicate_key, …",
            "message": "text: The same as a sentence.",
            "local": "json: The row of the table, of a conflict.",
            "remote": "json: What Iterable has, of a conflict.",
            "first_seen": "timestamp: UTC.",
        },
    ),
}
