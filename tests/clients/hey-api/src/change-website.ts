// The job of examples/typescript, with the other TypeScript client that people generate: @hey-api/openapi-ts.
// Usage: npm start -- BASE_URL LOGIN
import { createHash, randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { createClient, type Client } from "./client/client/index.js";
import * as api from "./client/index.js";

const [baseUrl = "http://127.0.0.1:8080", login = "demo-applicant-32"] = process.argv.slice(2);
const run = Date.now();

/** A client that acts for one person, with the options that every call here has. */
async function signIn(login: string): Promise<{ client: Client; throwOnError: true }> {
  const { data } = await api.login({
    client: createClient({ baseUrl }),
    body: { login, password: "demo-password-2026" },
    throwOnError: true,
  });
  return { client: createClient({ baseUrl, auth: data.access_token }), throwOnError: true };
}

const file = async (name: string) =>
  new Uint8Array(await readFile(new URL(`../../../../examples/files/${name}`, import.meta.url)));
const declare = (bytes: Uint8Array) => ({
  size_bytes: bytes.length,
  sha256: createHash("sha256").update(bytes).digest("hex"),
});

async function put(upload: api.Upload | null, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  if (!upload) throw new Error("nothing to upload");
  const reply = await fetch(upload.url, { method: upload.method, headers: upload.headers, body: bytes });
  if (!reply.ok) throw new Error(`the store answered ${reply.status}: ${await reply.text()}`);
}

const applicant = await signIn(login);
const reviewer = await signIn("demo-reviewer");
const logistics = await signIn("demo-logistics");
const admin = await signIn("demo-admin");

const { data: overview } = await api.getOverview(applicant);
const website = overview.websites.find((website) => !website.live_filing_id);
if (!website) throw new Error(`the website of ${login} has a live filing`);
const created = await api.createFiling({
  ...applicant,
  headers: { "Idempotency-Key": randomUUID() },
  body: { kind: "website_change", website_id: website.id },
});
const path = { id: created.data.id };

async function read() {
  const { data: filing, response } = await api.getFiling({ ...applicant, path });
  return { filing, etag: response.headers.get("etag") ?? "" };
}

async function edit(body: api.UpdateFiling): Promise<void> {
  const { etag } = await read();
  await api.updateFiling({ ...applicant, path, headers: { "If-Match": etag }, body });
}

async function expectStatus(status: api.Status): Promise<api.FilingBody> {
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

async function claim(stage: api.Stage): Promise<api.Review> {
  const { filing } = await read();
  const { data } = await api.listReviews({ ...reviewer, query: { stage, q: filing.order_no } });
  const path = { id: data.items[0]?.id ?? "" };
  await api.claimReview({ ...reviewer, path });
  return (await api.getReview({ ...reviewer, path })).data;
}

async function approve(review: api.Review): Promise<void> {
  const checklist = review.checklist.map((check) => check.code);
  await api.approveReview({ ...reviewer, path: { id: review.id }, body: { checklist } });
}

async function submit(): Promise<void> {
  const { data: terms } = await api.getCurrentTerms(applicant);
  const { etag } = await read();
  await api.submitFiling({
    ...applicant,
    path,
    headers: { "If-Match": etag },
    body: {
      terms_version: terms.service_terms.version,
      personal_information_consent_version: terms.personal_information_consent.version,
      accepted_by_name: "赵明",
    },
  });
}

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
      mobile: `139${String(run).slice(-8)}`,
      emergency_phone: "13800005678",
      email: `zhaoming-${run}@example.com`,
    },
  },
});
const { data: check } = await api.checkFiling({ ...applicant, path });
if (check.can_submit || !check.findings.some((finding) => finding.pointer === "/website/name")) {
  throw new Error(`the wrong name was not found: ${JSON.stringify(check)}`);
}
await edit({ website: { name: "光影读书笔记" } });

const materials: Record<string, string> = {
  identity_card_front: "identity-card-front.jpg",
  identity_card_back: "identity-card-back.jpg",
};
const { data: requirements } = await api.listFilingRequirements({ ...applicant, path });
for (const { code } of requirements.items.filter((item) => item.required && !item.is_satisfied)) {
  const name = materials[code] ?? "authorisation-letter.pdf";
  const bytes = await file(name);
  const { data: attachment } = await api.createAttachment({
    ...applicant,
    path,
    body: {
      purpose: code,
      file_name: name,
      content_type: name.endsWith(".pdf") ? "application/pdf" : "image/jpeg",
      ...declare(bytes),
    },
  });
  await put(attachment.upload, bytes);
  await api.completeAttachment({ ...applicant, path: { id: attachment.id } });
}

await submit();
await expectStatus("initial_review");
const review = await claim("initial_review");
await api.rejectReview({
  ...reviewer,
  path: { id: review.id },
  body: {
    items: [
      { target_kind: "field", pointer: "/website/name", code: "SITE_NAME_UNRELATED", reason: "名称与网站内容无关" },
    ],
  },
});
const rejected = await expectStatus("initial_rejected");
await edit({
  website: { name: "李娜的书房" },
  rejection_replies: (rejected.rejection?.items ?? []).map((item) => ({ item_id: item.id, reply: "已修改" })),
});
await submit();
await expectStatus("initial_review");
await approve(await claim("initial_review"));
await expectStatus("photo_required");

const { data: shipment } = await api.createBackdropShipment({
  ...applicant,
  path,
  body: {
    recipient_name: "赵明",
    phone: "13900001234",
    province_code: "110000",
    city_code: "110100",
    district_code: "110105",
    street_address: "示例大街2号院3号楼402室",
  },
});
const parcel = { ...logistics, path: { id: shipment.id } };
await api.packBackdropShipment(parcel);
await api.shipBackdropShipment({ ...parcel, body: { carrier_code: "shunfeng", tracking_number: `SF${run}` } });
await api.markShipmentDelivered(parcel);

const reuse = (mode: api.PrecheckMode) =>
  api.putPhotoPrecheckSetting({ ...admin, path: { code: "PHOTO_REUSED" }, body: { mode } });
await reuse("warn");
const picture = Buffer.concat([await file("photo.jpg"), Buffer.from(String(run))]);
const { data: photo } = await api.createPhotoVerification({
  ...applicant,
  path,
  body: { file_name: "photo.jpg", content_type: "image/jpeg", ...declare(picture) },
});
await put(photo.upload, picture);
await api.submitPhotoVerification({ ...applicant, path: { id: photo.id } });
await expectStatus("photo_review");
await reuse("block");
await approve(await claim("photo_review"));

await expectStatus("approved");
const { data: filed } = await api.getWebsite({ ...applicant, path: { id: website.id } });
if (filed.content.name !== "李娜的书房") throw new Error(`the filed name is ${filed.content.name}`);
console.log(`Done: version ${filed.filed_version} of the filed website is ${filed.content.name}.`);
