// Swagger UI as reviewers use it: log in through the Authorize dialog, execute every operation's example as it stands.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { complaints } from './browser.mjs';

const PASSWORD = 'demo-password-2026';
const PARTNER = { id: 'demo-partner', secret: 'demo-partner-secret-2026' };

/** The demo user of each role, and what the description's role is called there. */
const ROLES = {
  applicant: 'demo-applicant',
  reviewer: 'demo-reviewer',
  senior_reviewer: 'demo-senior-reviewer',
  logistics: 'demo-logistics',
  bureau_operator: 'demo-bureau',
  support: 'demo-support',
  auditor: 'demo-auditor',
  admin: 'demo-admin',
};

/** Their examples cannot hold the secret that a mail or an earlier reply carries: they answer a documented refusal. */
const NEEDS_A_SECRET = [
  'refreshSession',
  'confirmPasswordReset',
  'confirmContact',
  'issueToken',
  'recordSmsReceipts',
  'getUnsubscribePage',
  'unsubscribe',
  'receiveCarrierPush',
];

/** One page of Swagger UI. */
class Swagger {
  constructor(page, url) {
    this.page = page;
    this.url = url;
    this.who = null;
  }

  async open() {
    await this.page.goto(`${this.url}/swagger-ui/`);
    await this.page.locator('.opblock').first().waitFor();
  }

  /** Every operation in the order of the page. */
  async operations() {
    const document = await this.page.evaluate(() => fetch('/openapi.json').then((reply) => reply.json()));
    // Events of the document's `webhooks` look like operations, and cannot be executed.
    const names = new Set(Object.keys(document.webhooks).map((name) => `operations-webhooks-post${name.replaceAll(/\W/g, '_')}`));
    const blocks = await this.page.locator('.opblock').evaluateAll((blocks) => blocks.map((block) => block.id));
    const shown = blocks.filter((block) => !names.has(block));
    const all = Object.entries(document.paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]) => ({
        path,
        method,
        operation,
        id: operation.operationId,
        block: `operations-${operation.tags[0].replaceAll(' ', '_')}-${operation.operationId}`,
        roles: [...(operation.description.match(/^Roles: (.*)$/m)?.[1] ?? '').matchAll(/`(\w+)`/g)].map((role) => role[1]),
        login: operation.description.match(/Example: log in as `([\w-]+)`/)?.[1],
      })),
    );
    all.sort((one, other) => shown.indexOf(one.block) - shown.indexOf(other.block));
    return { document, all, shown };
  }

  /** Opens the Authorize dialog, logs out whoever is logged in, and logs in. */
  async logIn(login) {
    if (this.who === login) return;
    await this.page.locator('.auth-wrapper .btn.authorize').click();
    const dialog = this.page.locator('.modal-ux');
    await dialog.waitFor();
    for (const logout of await dialog.getByRole('button', { name: 'Remove authorization' }).all()) await logout.click();
    if (login === PARTNER.id) {
      const form = dialog.locator('.auth-container', { has: this.page.locator('#client_id_clientCredentials') });
      await form.locator('#client_id_clientCredentials').fill(PARTNER.id);
      await form.locator('#client_secret_clientCredentials').fill(PARTNER.secret);
      await form.locator('button.authorize').click();
    } else {
      const form = dialog.locator('.auth-container', { has: this.page.locator('#oauth_username') });
      await form.locator('#oauth_username').fill(login);
      await form.locator('#oauth_password').fill(PASSWORD);
      await form.locator('button.authorize').click();
    }
    await dialog.getByRole('button', { name: 'Remove authorization' }).or(dialog.locator('.errors')).first().waitFor();
    const refusal = dialog.locator('.errors');
    if (await refusal.count()) throw new Error(`${login} cannot log in: ${await refusal.first().innerText()}`);
    await dialog.locator('button.close-modal').click();
    this.who = login;
  }

  block(operation) {
    return this.page.locator(`[id="${operation.block}"]`);
  }

  /** Only this operation's group stays on the page: Swagger UI draws everything anew with each step. */
  async narrow(operation) {
    const tag = operation.operation.tags[0];
    if (this.tag === tag) return;
    this.tag = tag;
    await this.page.locator('.operation-filter-input').fill(tag);
    await this.block(operation).waitFor();
  }

  async unfold(operation) {
    await this.narrow(operation);
    const block = this.block(operation);
    if (!(await block.locator('.opblock-body').count())) await block.locator('.opblock-summary-control').click();
    await block.locator('button.execute').waitFor();
    return block;
  }

  /** Presses Execute on the form as it stands; what the page shows then. */
  async execute(operation, photo) {
    const block = await this.unfold(operation);
    const file = block.locator('input[type=file]');
    if (await file.count()) await file.setInputFiles(photo);
    await block.locator('button.execute').click();
    const live = block.locator('.live-responses-table');
    const status = live.locator('tbody .response-col_status').first();
    await status.waitFor({ timeout: 30_000 });
    return {
      status: Number.parseInt(await status.innerText(), 10),
      text: await live.locator('.response-col_description').first().innerText(),
      curl: await block.locator('.curl-command .curl').innerText().catch(() => ''),
      duration: await block.locator('.responses-inner').getByText(/^\d+ ms$/).count(),
    };
  }

  async fold(operation) {
    await this.block(operation).locator('.opblock-summary-control').click();
  }
}

export async function swagger({ browser, beian, checks, source, screenshots }) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: 'zh-CN' });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const errors = complaints(page);
  const ui = new Swagger(page, beian.url);
  await ui.open();
  const { document, all, shown } = await ui.operations();
  const photo = join(source, 'examples/files/photo.jpg');
  const by = (id) => all.find((operation) => operation.id === id);

  console.log(`Swagger UI shows ${shown.length} of ${all.length} operations`);
  checks.that(shown.length === all.length && all.every(({ block }) => shown.includes(block)), 'an operation is not shown');
  const tags = await page.locator('.opblock-tag').evaluateAll((tags) => tags.map((tag) => tag.dataset.tag));
  checks.that(JSON.stringify(tags) === JSON.stringify(document.tags.map(({ name }) => name)), `tags are shown as ${tags}`);
  const place = (id) => shown.indexOf(by(id).block);
  for (const [before, after] of [
    ['createFiling', 'updateFiling'],
    ['updateFiling', 'checkFiling'],
    ['checkFiling', 'submitFiling'],
    ['createAttachment', 'completeAttachment'],
    ['createPhotoVerification', 'submitPhotoVerification'],
    ['claimReview', 'approveReview'],
    ['packBackdropShipment', 'shipBackdropShipment'],
    ['shipBackdropShipment', 'markShipmentDelivered'],
    ['acceptBureauSubmission', 'confirmBureauSms'],
    ['confirmBureauSms', 'decideBureauSubmission'],
  ]) {
    checks.that(place(before) < place(after), `${before} is shown after ${after}`);
  }
  const statuses = document.components.schemas.Status?.enum ?? document.components.schemas.FilingStatus?.enum;
  const picture = page.locator('.information-container pre').first();
  const drawing = await picture.innerText();
  for (const status of statuses) checks.that(drawing.includes(status), `the diagram shows no ${status}`);
  const box = await picture.evaluate((pre) => ({ wide: pre.scrollWidth > pre.clientWidth + 1, lines: pre.innerText.split('\n').length }));
  checks.that(!box.wide && box.lines > 20, `the diagram does not fit into the page: ${JSON.stringify(box)}`);

  // Every example, from top to bottom, by the user that its description names, else the first of its roles.
  const results = [];
  const started = Date.now();
  const expected = [];
  for (const operation of all) {
    if (process.env.SKIP?.includes(operation.id)) continue;
    const role = operation.roles.find((role) => role in ROLES);
    const login = operation.login ?? ROLES[role];
    if (login) await ui.logIn(login);
    const reply = await ui.execute(operation, photo);
    results.push({ id: operation.id, login, ...reply });
    if (process.env.VERBOSE) console.log(`${((Date.now() - started) / 1000).toFixed(1)} ${operation.id} ${login} ${reply.status}`);
    const is_fine = NEEDS_A_SECRET.includes(operation.id) ? reply.status < 500 : reply.status >= 200 && reply.status < 300;
    checks.that(is_fine, `${operation.id} as ${login}: ${reply.status} ${reply.text.slice(0, 400)}`);
    checks.that(String(reply.status) in operation.operation.responses, `${operation.id}: ${reply.status} is not documented`);
    checks.that(reply.curl.startsWith('curl -X'), `${operation.id}: no curl line is shown: ${reply.curl.slice(0, 80)}`);
    if (reply.status >= 400) expected.push(operation.path);
    await ui.fold(operation);
  }
  const good = results.filter(({ status }) => status >= 200 && status < 300);
  const seconds = Math.round((Date.now() - started) / 1000);
  console.log(`Executed ${results.length} of ${all.length} operations by clicks, ${good.length} with 2xx, in ${seconds} s`);
  for (const { id, status } of results.filter((result) => !good.includes(result))) console.log(`   ${status} ${id}`);
  // Swagger UI leaves the duration out when it is 0 ms.
  const timed = results.filter(({ duration }) => duration).length;
  checks.that(timed > results.length / 2, `the duration is shown for ${timed} operations`);
  return { ui, all, results, errors, expected };
}
