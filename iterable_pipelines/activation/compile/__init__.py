"""From rows to records: the rules of outbound.md sections 1 to 3, one file per idea. No network, no state."""
