// Verifies a signed request with the code of docs/webhooks.md, which uses the published library; an altered one must be
// refused.
const assert = require("node:assert");
const fs = require("node:fs");
const { WebhookVerificationError } = require("standardwebhooks");
const { verify } = require(process.argv[3]);

const signed = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
for (const secret of signed.secrets) {
  const event = verify(secret, signed.body, signed.headers);
  assert.strictEqual(event.id, signed.headers["webhook-id"]);
  const refused = (body, headers, key = secret) =>
    assert.throws(() => verify(key, body, headers), WebhookVerificationError);
  refused(signed.body + " ", signed.headers);
  refused(signed.body, { ...signed.headers, "webhook-id": "other" });
  const stale = String(Number(signed.headers["webhook-timestamp"]) - 600);
  refused(signed.body, { ...signed.headers, "webhook-timestamp": stale });
  refused(signed.body, signed.headers, "whsec_" + "A".repeat(43) + "=");
}
console.log("node: verified with", signed.secrets.length, "secrets");
