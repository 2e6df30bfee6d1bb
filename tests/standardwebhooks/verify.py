"""Verifies a signed request with the code of docs/webhooks.md, which uses the published library; an altered one must be
refused."""

import json
import sys

from page import verify
from standardwebhooks.webhooks import WebhookVerificationError

with open(sys.argv[1], encoding="utf-8") as file:
    signed = json.load(file)

for secret in signed["secrets"]:
    event = verify(secret, signed["body"].encode(), signed["headers"])
    assert event["id"] == signed["headers"]["webhook-id"], event

    def refused(body, headers, key=secret):
        try:
            verify(key, body.encode(), headers)
        except WebhookVerificationError:
            return True
        return False

    assert refused(signed["body"] + " ", signed["headers"]), "an altered body passes"
    assert refused(signed["body"], signed["headers"] | {"webhook-id": "other"}), "another id passes"
    stale = signed["headers"] | {"webhook-timestamp": str(int(signed["headers"]["webhook-timestamp"]) - 600)}
    assert refused(signed["body"], stale), "an old time passes"
    assert refused(signed["body"], signed["headers"], "whsec_" + "A" * 43 + "="), "another secret passes"

print("python: verified with", len(signed["secrets"]), "secrets")
