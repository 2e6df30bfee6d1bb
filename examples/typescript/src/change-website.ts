// The whole job with a generated client: change a filed website, from log-in to the bureau's approval.
// Usage: npm start -- [BASE_URL] [LOGIN], against a server with demo data (./dev run).
import { createHash, randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import createClient, { type Client } from "openapi-fetch";
import type { components, paths } from "./beian.js";

type Schemas = components["schemas"];
const [baseUrl = "http://127.0.0.1:8080", login = "demo-applicant-2"] = process.argv.slice(2);
const run = Date.now();

/** The body of a reply, or an error that says what the problem says. */
async function ok<T>(call: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await call;
  if (response.ok) return data as T;
  const problem = error as Schemas["Problem"];
  throw new Error(`${response.url}: ${problem.code}: ${problem.detail} ${JSON.stringify(problem.errors)}`);
}

/** A client that acts for one person. */
async function signIn(login: string): Promise<Client<paths>> {
  const client = createClient<paths>({ baseUrl });
  const { access_token } = await ok(client.POST("/v1/auth/login", { body: { login, password: "demo-password-2026" } }));
  client.use({
    onRequest({ request }) {
      request.headers.set("Authorization", `Bearer ${access_token}`);
      return request;
    },
  });
  return client;
}

const file = async (name: string) => new Uint8Array(await readFile(new URL(`../../files/${name}`, import.meta.url)));

/** What is declared of a file before its upload. */
const declare = (bytes: Uint8Array) => ({
  size_bytes: bytes.length,
  sha256: createHash("sha256").update(bytes).digest("hex"),
});

/** Files go straight to the store, with exactly the headers that were signed. */
async function put(upload: Schemas["Upload"] | null, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  if (!upload) throw new Error("nothing to upload");
  const reply = await fetch(upload.url, { method: upload.method, headers: upload.headers, body: bytes });
  if (!reply.ok) throw new Error(`the store answered ${reply.status}: ${await reply.text()}`);
}

const applicant = await signIn(login);
const reviewer = await signIn("demo-reviewer");
const logistics = await signIn("demo-logistics");

// Choose a website and start a change.
const overview = await ok(applicant.GET("/v1/overview"));
const website = overview.websites.find((website) => !website.live_filing_id);
if (!website) throw new Error(`the website of ${login} has a live filing; take another demo customer`);
const { id } = await ok(
  applicant.POST("/v1/filings", {
    params: { header: { "Idempotency-Key": randomUUID() } }, // a repetition creates nothing twice
    body: { kind: "website_change", website_id: website.id },
  }),
);
const path = { id };

/** The filing as it is now, with the ETag that changes must present. */
async function read() {
  const call = await applicant.GET("/v1/filings/{id}", { params: { path } });
  return { filing: await ok(Promise.resolve(call)), etag: call.response.headers.get("etag") ?? "" };
}

async function edit(body: Schemas["UpdateFiling"]): Promise<void> {
  const { etag } = await read();
  await ok(applicant.PATCH("/v1/filings/{id}", { params: { path, header: { "If-Match": etag } }, body }));
}

async function expectStatus(status: Schemas["Status"]): Promise<Schemas["FilingBody"]> {
  for (let tries = 0; tries < 240; tries++) {
    const { filing } = await read();
    if (filing.status === status) {
      console.log(`${filing.order_no} ${filing.status_label}: ${filing.prompt.title}`);
      return filing;
    }
    await sleep(250);
  }
  throw new Error(`the filing did not become ${status}`);
}

/** The reviewer takes this filing's task. */
async function claim(stage: Schemas["Stage"]): Promise<Schemas["Review"]> {
  const { filing } = await read();
  const { items } = await ok(reviewer.GET("/v1/reviews", { params: { query: { stage, q: filing.order_no } } }));
  const params = { path: { id: items[0]?.id ?? "" } };
  await ok(reviewer.POST("/v1/reviews/{id}/claim", { params }));
  return ok(reviewer.GET("/v1/reviews/{id}", { params }));
}

async function approve(review: Schemas["Review"]): Promise<void> {
  const checklist = review.checklist.map((check) => check.code);
  await ok(reviewer.POST("/v1/reviews/{id}/approve", { params: { path: { id: review.id } }, body: { checklist } }));
}

async function submit(): Promise<void> {
  const terms = await ok(applicant.GET("/v1/terms/current"));
  const { etag } = await read();
  await ok(
    applicant.POST("/v1/filings/{id}/submit", {
      params: { path, header: { "If-Match": etag } },
      body: {
        terms_version: terms.service_terms.version,
        personal_information_consent_version: terms.personal_information_consent.version,
        accepted_by_name: "赵明",
      },
    }),
  );
}

// Edit, and let the server check. The website gets another responsible person.
await edit({
  website: {
    name: "123",
    remark: "更换负责人",
    same_as_subject_responsible_person: false,
    responsible_person: {
      name: "赵明",
      certificate_type: "resident_identity_card",
      certificate_number: "11010519491231002X",
      certificate_valid_from: "2016-05-01",
      certificate_valid_to: "2046-05-01",
      certificate_long_term: false,
      mobile: `139${String(run).slice(-8)}`, // a mobile and an address serve one subject: each run has its own
      emergency_phone: "13800005678",
      email: `zhaoming-${run}@example.com`,
    },
  },
});
const check = await ok(applicant.POST("/v1/filings/{id}/check", { params: { path } }));
for (const finding of check.findings) console.log(`  ${finding.severity} ${finding.pointer}: ${finding.message}`);
await edit({ website: { name: "光影读书笔记" } });

// Upload what this change needs.
const materials: Record<string, string> = {
  identity_card_front: "identity-card-front.jpg",
  identity_card_back: "identity-card-back.jpg",
};
const requirements = await ok(applicant.GET("/v1/filings/{id}/requirements", { params: { path } }));
for (const { code } of requirements.items.filter((item) => item.required && !item.is_satisfied)) {
  const name = materials[code] ?? "authorisation-letter.pdf";
  const bytes = await file(name);
  const attachment = await ok(
    applicant.POST("/v1/filings/{id}/attachments", {
      params: { path },
      body: {
        purpose: code,
        file_name: name,
        content_type: name.endsWith(".pdf") ? "application/pdf" : "image/jpeg",
        ...declare(bytes),
      },
    }),
  );
  await put(attachment.upload, bytes);
  const done = await ok(
    applicant.POST("/v1/attachments/{id}/complete", { params: { path: { id: attachment.id } } }),
  );
  console.log(`  ${done.purpose_label}: ${done.state_label}`);
}

// Submit; the reviewer rejects one field with a reason; answer, submit again; the reviewer approves.
await submit();
await expectStatus("initial_review");
const first = await claim("initial_review");
await ok(
  reviewer.POST("/v1/reviews/{id}/reject", {
    params: { path: { id: first.id } },
    body: {
      items: [
        { target_kind: "field", pointer: "/website/name", code: "SITE_NAME_UNRELATED", reason: "名称与网站内容无关" },
      ],
    },
  }),
);
const rejected = await expectStatus("initial_rejected");
await edit({
  website: { name: "李娜的书房" },
  rejection_replies: (rejected.rejection?.items ?? []).map((item) => ({ item_id: item.id, reply: "已修改" })),
});
await submit();
await expectStatus("initial_review");
await approve(await claim("initial_review"));
await expectStatus("photo_required");

// The backdrop for the photo goes by courier.
const shipment = await ok(
  applicant.POST("/v1/filings/{id}/backdrop-shipments", {
    params: { path },
    body: {
      recipient_name: "赵明",
      phone: "13900001234",
      province_code: "110000",
      city_code: "110100",
      district_code: "110105",
      street_address: "示例大街2号院3号楼402室",
    },
  }),
);
const parcel = { path: { id: shipment.id } };
await ok(logistics.POST("/v1/backdrop-shipments/{id}/pack", { params: parcel }));
await ok(
  logistics.POST("/v1/backdrop-shipments/{id}/ship", {
    params: parcel,
    body: { carrier_code: "shunfeng", tracking_number: `SF${run}` },
  }),
);
const shipped = await ok(logistics.POST("/v1/backdrop-shipments/{id}/mark-delivered", { params: parcel }));
console.log(`  ${shipped.state_label}: ${shipped.carrier_name} ${shipped.tracking_number}`);

// A picture counts once, and all runs share one: the admin lets that finding only warn.
const admin = await signIn("demo-admin");
const reuse = (mode: Schemas["PrecheckMode"]) =>
  ok(
    admin.PUT("/v1/admin/photo-precheck-settings/{code}", {
      params: { path: { code: "PHOTO_REUSED" } },
      body: { mode },
    }),
  );
await reuse("warn");
const picture = Buffer.concat([await file("photo.jpg"), Buffer.from(String(run))]);
const photo = await ok(
  applicant.POST("/v1/filings/{id}/photo-verifications", {
    params: { path },
    body: { file_name: "photo.jpg", content_type: "image/jpeg", ...declare(picture) },
  }),
);
await put(photo.upload, picture);
await ok(applicant.POST("/v1/photo-verifications/{id}/submit", { params: { path: { id: photo.id } } }));
await expectStatus("photo_review");
await reuse("block");
await approve(await claim("photo_review"));

// The bureau decides; the filed website has its new data.
await expectStatus("approved");
const filed = await ok(applicant.GET("/v1/websites/{id}", { params: { path: { id: website.id } } }));
if (filed.content.name !== "李娜的书房") throw new Error(`the filed name is ${filed.content.name}`);
console.log(`Done: version ${filed.filed_version} of the filed website is ${filed.content.name}.`);
