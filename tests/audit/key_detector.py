"""Detector of the gateway's own keys, a plug-in of detect-secrets."""

import re

from detect_secrets.plugins.base import RegexBasedDetector


class MarqueeKeyDetector(RegexBasedDetector):
    """Keys as `marquee keys create` prints them."""

    secret_type = "Marquee key"
    denylist = (re.compile(r"marquee_[0-9a-f]{12}_[A-Za-z0-9_-]{43}"),)
