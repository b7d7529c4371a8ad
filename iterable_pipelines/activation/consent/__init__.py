"""Consent: what somebody has unsubscribed from is not given back, unless they have opted in since."""
