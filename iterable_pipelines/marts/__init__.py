"""Marts: what each event, person, campaign and list comes to, in tables named as analysts know them."""
