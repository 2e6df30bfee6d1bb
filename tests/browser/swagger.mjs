// Swagger UI as reviewers use it: log in through the Authorize dialog, execute every operation's example as it stands.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { complaints } from './browser.mjs';
import { startBeian } from './server.mjs';

const run = promisify(execFile);
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

/** Their replies say where to send a file; what is executed when it was sent. */
const UPLOADS = { createAttachment: 'completeAttachment', createPhotoVerification: 'submitPhotoVerification' };

/**
 * Executed by clicks: some of each role. Unfolding one operation takes Swagger UI a second or more (it resolves the whole
 * document each time), so the others are executed by the page's own client with the page's own log-in.
 */
const CLICKED = new Set([
  ...['login', 'issueToken', 'refreshSession', 'getMe', 'getOverview', 'getFiling', 'updateFiling', 'submitFiling'],
  ...['createAttachment', 'createPhotoVerification', 'checkPhoto', 'createBackdropShipment', 'getShippingLabel'],
  ...['packBackdropShipment', 'listReviews', 'approveReview', 'rejectReview', 'assignReview', 'acceptBureauSubmission'],
  ...['confirmBureauSms', 'createUser', 'putProvinceRule', 'listAuditEvents', 'getVersion'],
]);

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
    this.tag = null;
  }

  /** Every operation in the order of the page. */
  async operations() {
    const document = await this.page.evaluate(() => fetch('/openapi.json').then((reply) => reply.json()));
    // Events of the document's `webhooks` look like operations, and cannot be executed.
    const events = Object.values(document.webhooks).flatMap((item) => Object.values(item));
    const isEvent = (block) => events.some((event) => block.endsWith(`-${event.operationId}`));
    const blocks = await this.page.locator('.opblock').evaluateAll((blocks) => blocks.map((block) => block.id));
    const shown = blocks.filter((block) => !isEvent(block));
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
    const tags = await this.page.locator('.opblock-tag').evaluateAll((groups) => groups.map((group) => group.dataset.tag));
    return { document, all, shown, tags };
  }

  /** Opens the Authorize dialog and logs out whoever is logged in. */
  async dialog() {
    await this.page.locator('.auth-wrapper .btn.authorize').click();
    const dialog = this.page.locator('.modal-ux');
    await dialog.waitFor();
    for (const logout of await dialog.getByRole('button', { name: 'Remove authorization' }).all()) await logout.click();
    return dialog;
  }

  /** Logs in through the dialog. */
  async logIn(login) {
    if (this.who === login) return;
    const dialog = await this.dialog();
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

  /** Presses Execute on the form as it stands, or with another `id`; what the page shows then. */
  async execute(operation, photo, id) {
    const block = await this.unfold(operation);
    if (id) await block.locator('tr[data-param-name=id] input').fill(id);
    const file = block.locator('input[type=file]');
    if (await file.count()) await file.setInputFiles(photo);
    // What an earlier execution answered would be taken for this one's answer.
    const clear = block.locator('button.btn-clear');
    if (await clear.count()) await clear.click();
    await block.locator('button.execute').click();
    const live = block.locator('.live-responses-table');
    const status = live.locator('tbody .response-col_status').first();
    await status.waitFor({ timeout: 30_000 });
    return {
      status: Number.parseInt(await status.innerText(), 10),
      text: await live.locator('tbody .response-col_description').first().innerText(),
      curl: await block.locator('.curl-command .curl').innerText().catch(() => ''),
      duration: await block.locator('.responses-inner').getByText(/^\d+ ms$/).count(),
    };
  }

  /** Executes the example with the page's own client, as Execute does, without drawing the form. */
  async call(operation, id) {
    const { parameters = [], requestBody } = operation.operation;
    const values = Object.fromEntries(
      parameters.map((one) => [one.name, one.example ?? one.schema.example]).filter(([, value]) => value !== undefined),
    );
    if (id) values.id = id;
    const type = Object.keys(requestBody?.content ?? {})[0];
    if ('text/event-stream' in (operation.operation.responses['200']?.content ?? {})) return this.stream(operation, values);
    return this.page.evaluate(
      async ({ operationId, values, type }) => {
        const system = ui.getSystem();
        const spec = (window.document_ ??= system.specSelectors.specJson().toJS());
        const schema = Object.values(spec.paths).flatMap(Object.values).find((one) => one.operationId === operationId).requestBody?.content[type]?.schema;
        const described = spec.components.schemas[schema?.$ref?.split('/').pop()] ?? schema;
        const reply = await system.fn
          .execute({
            spec,
            operationId,
            parameters: values,
            requestBody: described?.example ?? described?.examples?.[0],
            requestContentType: type,
            contextUrl: location.href,
            securities: { authorized: system.authSelectors.authorized()?.toJS(), definitions: system.specSelectors.securityDefinitions().toJS(), specSecurity: [] },
          })
          .catch((error) => error.response ?? { status: 0, text: String(error.stack) });
        return { status: reply.status, text: typeof reply.text === 'string' ? reply.text : '' };
      },
      { operationId: operation.id, values, type },
    );
  }

  /** The beginning of a stream, which no client that waits for its end can show. */
  stream(operation, values) {
    const path = operation.path.replace(/\{(\w+)\}/g, (_, name) => values[name]);
    return this.page.evaluate(async (path) => {
      const { token } = Object.values(ui.getSystem().authSelectors.authorized().toJS())[0];
      const reply = await fetch(path, { headers: { Authorization: `Bearer ${token.access_token}` } });
      const reader = reply.body.getReader();
      const { value } = await reader.read();
      await reader.cancel();
      return { status: reply.status, text: new TextDecoder().decode(value) };
    }, path);
  }

  async fold(operation) {
    await this.block(operation).locator('.opblock-summary-control').click();
  }
}

export async function swagger({ browser, checks, source, screenshots }) {
  const beian = await startBeian();
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: 'zh-CN' });
  try {
    const page = await context.newPage();
    page.setDefaultTimeout(30_000);
    const errors = complaints(page);
    const ui = new Swagger(page, beian.url);
    await ui.open();
    const operations = await ui.operations();
    looks(operations, checks);
    await drawing(ui, operations.document, checks);
    if (screenshots) await pictures(ui, operations.all, screenshots);
    const results = await everything(ui, operations.all, checks, source);
    await each(ui, operations.all, checks);
    await wrongSecret(ui, checks);
    // The console repeats every refusal; those of the examples are counted above.
    const refused = results.filter(({ status }) => status >= 400).map(({ operation }) => operation.path);
    const odd = errors.filter((text) => !(/status of 4\d\d/.test(text) && ([...refused, '/oauth/token'].some((path) => text.includes(path)))));
    checks.that(odd.length === 0, `the page complains:\n${odd.join('\n')}`);
  } finally {
    await context.close();
    await beian.stop();
  }
}

/** The page as it opens, and what a reviewer sees after Execute. */
async function pictures(ui, all, folder) {
  await ui.page.screenshot({ path: join(folder, 'swagger-ui.png') });
  const summary = all.find(({ id }) => id === 'getReviewSummary');
  await ui.logIn('demo-reviewer');
  await ui.execute(summary);
  await ui.page.setViewportSize({ width: 1280, height: 1400 });
  await ui.block(summary).evaluate((block) => block.scrollIntoView());
  await ui.page.screenshot({ path: join(folder, 'swagger-ui-executed.png') });
  await ui.fold(summary);
  await ui.page.setViewportSize({ width: 1280, height: 900 });
}

/** Whether every operation is there, groups and operations in the order of the work. */
function looks({ document, all, shown, tags }, checks) {
  console.log(`Swagger UI shows ${shown.length} of ${all.length} operations`);
  checks.that(shown.length === all.length && all.every(({ block }) => shown.includes(block)), 'an operation is not shown');
  checks.that(JSON.stringify(tags) === JSON.stringify(document.tags.map(({ name }) => name)), `groups are shown as ${tags}`);
  const place = (id) => all.findIndex((operation) => operation.id === id);
  for (const [before, after] of [
    ['login', 'refreshSession'],
    ['createFiling', 'updateFiling'],
    ['updateFiling', 'checkFiling'],
    ['checkFiling', 'submitFiling'],
    ['createAttachment', 'completeAttachment'],
    ['createPhotoVerification', 'submitPhotoVerification'],
    ['listReviews', 'claimReview'],
    ['claimReview', 'approveReview'],
    ['createBackdropShipment', 'packBackdropShipment'],
    ['packBackdropShipment', 'shipBackdropShipment'],
    ['shipBackdropShipment', 'markShipmentDelivered'],
    ['dispatchBureauSubmission', 'acceptBureauSubmission'],
    ['acceptBureauSubmission', 'confirmBureauSms'],
    ['confirmBureauSms', 'decideBureauSubmission'],
    ['createUser', 'disableUser'],
    ['disableUser', 'enableUser'],
  ]) {
    checks.that(place(before) < place(after), `${before} is shown after ${after}`);
  }
}

/** The states, drawn in the description: every one, in lines that fit into the page. */
async function drawing(ui, document, checks) {
  const picture = ui.page.locator('.information-container .renderedMarkdown pre').first();
  const text = (await picture.count()) ? await picture.innerText() : '';
  for (const status of document.components.schemas.Status.enum) checks.that(text.includes(status), `the diagram shows no ${status}`);
  const fits = await picture.evaluate((pre) => pre.scrollWidth <= pre.clientWidth + 1 && pre.innerText.split('\n').length > 20).catch(() => false);
  checks.that(fits, 'the diagram does not fit into the page');
}

/** Every example as it stands, by the user that its description names, else by the first of its roles. */
async function everything(ui, all, checks, source) {
  const photo = join(source, 'examples/files/photo.jpg');
  // From top to bottom, but for those that end what other examples are about.
  const last = ['createPhotoVerification', 'createAttachment', 'submitFiling'];
  const order = [...all.filter(({ id }) => !last.includes(id)), ...last.map((id) => all.find((operation) => operation.id === id))];
  const results = [];
  const sent = [];
  const started = Date.now();
  for (const operation of order) {
    const login = operation.login ?? ROLES[operation.roles.find((role) => role in ROLES)];
    if (login) await ui.logIn(login);
    const is_clicked = CLICKED.has(operation.id);
    const reply = is_clicked ? await ui.execute(operation, photo) : await ui.call(operation);
    results.push({ operation, login, is_clicked, ...reply });
    if (process.env.VERBOSE) console.log(`${((Date.now() - started) / 1000).toFixed(1)} ${operation.id} ${login} ${reply.status}`);
    const is_fine = NEEDS_A_SECRET.includes(operation.id) ? reply.status < 500 : reply.status >= 200 && reply.status < 300;
    checks.that(is_fine, `${operation.id} as ${login}: ${reply.status} ${reply.text.slice(0, 400)}`);
    checks.that(String(reply.status) in operation.operation.responses, `${operation.id}: ${reply.status} is not documented`);
    if (!is_clicked) continue;
    checks.that(reply.curl.startsWith('curl -X'), `${operation.id}: no curl line is shown: ${reply.curl.slice(0, 80)}`);
    if (operation.id in UPLOADS) sent.push({ operation, login, id: await send(ui, operation, reply, checks, source) });
    await ui.fold(operation);
    if (sent.length === Object.keys(UPLOADS).length) {
      // What was sent can count now.
      for (const { operation: declared, login, id } of sent.splice(0)) {
        const finish = all.find((other) => other.id === UPLOADS[declared.id]);
        await ui.logIn(login);
        const { status, text } = await ui.execute(finish, null, id);
        checks.that(status >= 200 && status < 300, `${finish.id} after the upload: ${status} ${text.slice(0, 300)}`);
        console.log(`   ${declared.id}: its curl line sent the file, ${finish.id} answered ${status}`);
        await ui.fold(finish);
      }
    }
  }
  const good = results.filter(({ status }) => status >= 200 && status < 300);
  const seconds = Math.round((Date.now() - started) / 1000);
  const clicked = results.filter(({ is_clicked }) => is_clicked);
  console.log(
    `Executed ${results.length} of ${all.length} operations as they stand, ${good.length} with 2xx, in ${seconds} s: ` +
      `${clicked.length} by clicks, ${results.length - clicked.length} by the page's client`,
  );
  checks.that(results.length === all.length, 'an operation was not executed');
  for (const { operation, status } of results.filter((result) => !good.includes(result))) console.log(`   ${status} ${operation.id}`);
  checks.that(results.every(({ status }) => status < 500), 'an example ends in a 5xx');
  // Swagger UI leaves the duration out when it is 0 ms.
  const timed = clicked.filter(({ duration }) => duration).length;
  checks.that(timed > clicked.length / 2, `the duration is shown for ${timed} operations`);
  return results;
}

/** Each role and the partner's program: log in, execute, reload, and still be logged in. */
async function each(ui, all, checks) {
  const by = (id) => all.find((operation) => operation.id === id);
  const people = [...Object.entries(ROLES), ['partner', PARTNER.id]];
  for (const [role, login] of people) {
    const reads = all.filter(({ method, path, roles, id }) => method === 'get' && !path.includes('{') && roles.includes(role) && id !== 'getMe');
    await ui.logIn(login);
    const me = await ui.execute(by('getMe'));
    checks.that(me.status === 200 && me.text.includes(login), `getMe as ${login}: ${me.status} ${me.text.slice(0, 200)}`);
    for (const operation of reads.slice(0, 3)) {
      const { status } = await ui.call(operation);
      checks.that(status === 200, `${operation.id} as ${login}: ${status}`);
    }
    console.log(`   ${login}: getMe by clicks, ${reads.slice(0, 3).map(({ id }) => id).join(', ')}`);
    if (!['applicant', 'reviewer', 'partner'].includes(role)) continue;
    await ui.open();
    const { status } = await ui.call(by('getMe'));
    checks.that(status === 200, `after a reload ${login} is logged out`);
  }
}

/** Sends a file with the description's own line, as it stands, to the address of the reply that is shown. */
async function send(ui, operation, reply, checks, source) {
  const line = await ui.block(operation).locator('.opblock-description pre').innerText();
  const url = reply.text.match(/"url": "([^"]+)"/)?.[1];
  checks.that(url && line.includes('"$UPLOAD_URL"'), `${operation.id}: no upload address, or no line that sends to it`);
  const sent = await run('sh', ['-c', line], { cwd: join(source, 'examples', 'files'), env: { ...process.env, UPLOAD_URL: url } }).catch((error) => error);
  checks.that(!(sent instanceof Error), `${operation.id}: the line of its description fails: ${sent.stderr}`);
  return reply.text.match(/"id": "([0-9a-f-]{36})"/)?.[1];
}

/** A mistyped secret is told in the dialog. (A browser that knew the challenge would ask by itself, and the page would wait.) */
async function wrongSecret(ui, checks) {
  const dialog = await ui.dialog();
  await dialog.locator('#client_id_clientCredentials').fill(PARTNER.id);
  await dialog.locator('#client_secret_clientCredentials').fill('mistyped');
  await dialog.locator('.auth-container', { has: ui.page.locator('#client_id_clientCredentials') }).locator('button.authorize').click();
  const told = await dialog.locator('.errors').first().waitFor({ timeout: 10_000 }).then(() => true, () => false);
  checks.that(told, 'a wrong secret leaves the Authorize dialog waiting');
}
