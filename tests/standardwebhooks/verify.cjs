// Verifies a signed request with the published library; an altered one must be refused.
const assert = require("node:assert");
const fs = require("node:fs");
const { Webhook, WebhookVerificationError } = require("standardwebhooks");

const signed = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
for (const secret of signed.secrets) {
  const event = new Webhook(secret).verify(signed.body, signed.headers);
  assert.strictEqual(event.id, signed.headers["webhook-id"]);
  const refused = (body, headers, key = secret) =>
    assert.throws(() => new Webhook(key).verify(body, headers), WebhookVerificationError);
  refused(signed.body + " ", signed.headers);
  refused(signed.body, { ...signed.headers, "webhook-id": "other" });
  const stale = String(Number(signed.headers["webhook-timestamp"]) - 600);
  refused(signed.body, { ...signed.headers, "webhook-timestamp": stale });
  refused(signed.body, signed.headers, "whsec_" + "A".repeat(43) + "=");
}
console.log("node: verified with", signed.secrets.length, "secrets");
