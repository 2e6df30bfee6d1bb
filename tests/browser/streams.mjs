// How the owner's page of examples/spa follows a filing: without asking, over breaks of every kind, and not behind a dialog.
// Between page and server stands a gate that breaks things; the page's clock is run ahead where a person would have to wait.
import { setTimeout as sleep } from 'node:timers/promises';

import { startGate } from './gate.mjs';
import { PASSWORD, Spa } from './spa-page.mjs';

/** Has a filing in initial review. */
const OWNER = 'demo-applicant-3';
const OTHER = 'demo-applicant-4';
/** A page that polled would have asked several times. */
const LONG_MS = 10_000;

/** A program of somebody: their other device, or a colleague. */
class Program {
  static async logIn(api, login) {
    const program = Object.assign(new Program(), { api, headers: { 'Content-Type': 'application/json' } });
    const { access_token } = await program.send('POST', '/v1/auth/login', { login, password: PASSWORD });
    program.headers.Authorization = `Bearer ${access_token}`;
    return program;
  }

  async send(method, path, body, headers = {}) {
    const reply = await fetch(this.api + path, { method, headers: { ...this.headers, ...headers }, body: body && JSON.stringify(body) });
    if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status} ${await reply.text()}`);
    return reply.json();
  }

  async submit(path) {
    const terms = await this.send('GET', '/v1/terms/current');
    const body = {
      terms_version: terms.service_terms.version,
      personal_information_consent_version: terms.personal_information_consent.version,
    };
    await this.send('POST', `${path}/submit`, body, { 'If-Match': '*' });
  }

  withdraw(path) {
    return this.send('POST', `${path}/withdraw`);
  }
}

/** What a page asks for and what its streams tell it, by its console. */
class Watch {
  requests = [];
  told = [];
  opened = 0;
  refused = 0;
  exceptions = [];
  #reading = new Set();

  constructor(page) {
    this.page = page;
    page.on('pageerror', (error) => this.exceptions.push(error.message));
    page.on('console', (message) => {
      const text = message.text();
      if (text.startsWith('stream event: ')) this.told.push(text.split(' ').pop());
      if (text.startsWith('stream opened: ')) this.opened += 1;
      if (text.startsWith('stream refused')) this.refused += 1;
    });
    for (const end of ['requestfinished', 'requestfailed']) page.on(end, (request) => this.#reading.delete(request));
    page.on('request', (request) => {
      if (request.headers()['if-none-match']) this.#reading.add(request);
      this.requests.push({ text: `${request.method()} ${new URL(request.url()).pathname}`, after: request.headers()['last-event-id'] });
    });
  }

  /** Whether a conditional read is under way. */
  get isReading() {
    return this.#reading.size > 0;
  }

  /** What is added from now on. */
  mark() {
    const [requests, told] = [this.requests.length, this.told.length];
    return { requests: () => this.requests.slice(requests), told: () => this.told.slice(told) };
  }

  /** The page's next conditional read of a filing, with its reply. */
  read(path) {
    return this.page.waitForResponse((reply) => new URL(reply.url()).pathname === path && reply.request().headers()['if-none-match']);
  }

  async until(is_so, what, seconds = 60) {
    for (let tries = 0; !is_so(); tries++) {
      if (tries > seconds * 10) throw new Error(`waited for ${seconds} s: ${what}`);
      await sleep(100);
    }
  }
}

export async function streams({ browser, checks, files, pages, api }) {
  console.log(`${OWNER} follows a filing in examples/spa`);
  const gate = await startGate(api);
  const context = await browser.newContext({ locale: 'zh-CN' });
  try {
    await context.clock.install();
    const page = await context.newPage();
    page.setDefaultTimeout(30_000);
    const watch = new Watch(page);
    await page.goto(`${pages}/?api=${gate.url}`);
    await parser(page, checks);
    const ui = new Spa(page, files);
    const owner = await Program.logIn(api, OWNER);
    const filing = (await owner.send('GET', '/v1/filings?status=initial_review')).items[0];
    const path = `/v1/filings/${filing.id}`;
    const story = { browser, pages, api, ui, page, watch, gate, checks, owner, filing, path };

    await ui.logIn(OWNER);
    const begin = watch.read(path);
    await ui.openOrder(filing.order_no);
    await begin;
    const before = await timeline(owner, path);
    await reviewed(story);
    await sameButtons(story);
    await behindDialog(story);
    await broken(story);
    await tooMany(story);
    const after = await timeline(owner, path);
    checks.that(`${after}` === `${[...before, ...watch.told]}`, `the timeline has ${after}, the page was told ${watch.told} after ${before}`);
    console.log(`   ${watch.told.length} events told, each once; the stream was opened ${watch.opened} times`);
    await left(story);
    checks.that(watch.exceptions.length === 0, `exceptions: ${watch.exceptions}`);
  } finally {
    await context.close();
    await gate.stop();
  }
}

const timeline = async (owner, path) => (await owner.send('GET', `${path}/events`)).items.map(({ id }) => id);

/** The reviewer rejects on their own page: the owner sees it without a question in between. */
async function reviewed({ browser, pages, api, ui, page, watch, checks, filing, path }) {
  const mark = watch.mark();
  await page.clock.runFor(LONG_MS);
  const context = await browser.newContext({ locale: 'zh-CN' });
  const reviewer = new Spa(await context.newPage());
  await reviewer.page.goto(`${pages}/?api=${api}`);
  await reviewer.logIn('demo-reviewer');
  await reviewer.openOrder(filing.order_no);
  await reviewer.press('claimReview');
  await reviewer.step('rejectReview', { code: 'SITE_NAME_UNRELATED', reason: '名称与网站内容无关' });
  await ui.status('初审驳回');
  await page.locator('#rejection li', { hasText: '名称与网站内容无关' }).waitFor();
  await context.close();
  await page.clock.runFor(LONG_MS);
  const [asked, told] = [mark.requests(), mark.told()];
  checks.that(told.length === 1, `the page was told ${told}`);
  checks.that(asked.every(({ text }) => text === `GET ${path}`) && asked.length === told.length, `the page asked: ${texts(asked)}`);
}

const texts = (requests) => requests.map(({ text }) => text).join(', ') || 'nothing';

/** News that change no button leave the buttons under the pointer. An edit is no event: the read after a break finds it. */
async function sameButtons({ page, watch, gate, checks, owner, path }) {
  const button = await page.locator('#page button[data-operation=updateFiling]').elementHandle();
  const mark = watch.mark();
  await owner.send('PATCH', path, { website: { remark: '另一台设备上的备注' } }, { 'If-Match': '*' });
  gate.cut();
  await page.locator('dd', { hasText: '另一台设备上的备注' }).waitFor();
  checks.that(await button.evaluate((node) => node.isConnected), 'a button that says the same was replaced');
  checks.that(texts(mark.requests()) === `GET ${path}/stream, GET ${path}`, `after a break the page asked: ${texts(mark.requests())}`);
}

/** What happens while a dialog is open is shown when it closes. */
async function behindDialog({ ui, page, watch, checks, owner, path, filing }) {
  const name = page.locator('dialog [name="/website/name"]');
  await ui.ask('updateFiling');
  await name.fill('写到一半');
  const { rejection } = await owner.send('GET', path);
  const replies = rejection.items.map(({ id }) => ({ item_id: id, reply: '已在另一台设备上修改' }));
  await owner.send('PATCH', path, { website: { name: `李明的读书笔记` }, rejection_replies: replies }, { 'If-Match': '*' });
  const mark = watch.mark();
  await owner.submit(path);
  await watch.until(() => mark.told().length, 'the event of the submission');
  await page.clock.runFor(LONG_MS);
  checks.that((await name.inputValue()) === '写到一半', 'a dialog was disturbed');
  checks.that((await page.locator('#status').innerText()) === '初审驳回', `${filing.order_no} was drawn behind a dialog`);
  checks.that(mark.requests().length === 0, `behind a dialog the page asked: ${texts(mark.requests())}`);
  await page.click('dialog button[type=button]');
  await ui.status('初审中');
  checks.that(texts(mark.requests()) === `GET ${path}`, `after a dialog the page asked: ${texts(mark.requests())}`);
}

/** Connections break in every way that a net knows; the next one says what came last, and nothing is missed. */
async function broken({ ui, page, watch, gate, checks, owner, path }) {
  const resumed = async (what, breaks, changes, status, count) => {
    const last = watch.told.at(-1);
    const mark = watch.mark();
    await breaks();
    await changes();
    await watch.until(() => mark.told().length >= count, `${what}: ${count} events, there are ${mark.told()}`);
    await ui.status(status);
    const opened = mark.requests().filter(({ text }) => text === `GET ${path}/stream`);
    checks.that(opened.length && opened.every(({ after }) => after === last), `${what}: resumed after ${opened.map(({ after }) => after)}, not ${last}`);
    const others = mark.requests().filter(({ text }) => text !== `GET ${path}/stream` && text !== `GET ${path}`);
    console.log(`   ${what}: nothing is missed`);
    return { opened, others, reads: mark.requests().length - opened.length - others.length };
  };

  const cut = async () => (gate.hold(), gate.cut());
  const several = async () => {
    await owner.withdraw(path);
    await owner.submit(path);
    await owner.withdraw(path);
    await watch.until(() => gate.holds, 'the next try');
    gate.release();
  };
  const afterCut = await resumed('a connection is cut', cut, several, '草稿', 3);
  // One when it is open again, and at most one for each event.
  checks.that(afterCut.reads <= 4 && afterCut.others.length === 0 && watch.refused === 0, `after a cut the page read ${afterCut.reads} times`);

  await resumed('a message is cut in two', async () => gate.halveNext(), () => owner.submit(path), '初审中', 1);

  const silent = async () => {
    await owner.withdraw(path);
    // The server has told it; the page has heard nothing.
    await sleep(2000);
    await page.clock.fastForward(45_000);
  };
  await resumed('a connection falls silent', async () => gate.mute(), silent, '草稿', 1);

  const stale = async () => ((gate.token = 'stale'), gate.cut());
  const renewed = await resumed('the token is not taken any more', stale, () => owner.submit(path), '初审中', 1);
  checks.that(texts(renewed.others) === 'POST /v1/auth/refresh', `with a stale token the page asked: ${texts(renewed.others)}`);

  // Chromium keeps connections that are open when it goes offline: that one is cut, and no other is to be had.
  const { refused } = watch;
  const away = async () => {
    await page.context().setOffline(true);
    gate.cut();
    await watch.until(() => watch.refused > refused, 'a try without a net');
  };
  const back = async () => {
    await owner.withdraw(path);
    await page.locator('#problem', { hasText: '没有连接' }).waitFor();
    await page.context().setOffline(false);
  };
  await resumed('the net is away', away, back, '草稿', 1);
  await page.locator('#problem').waitFor({ state: 'hidden' });
}

/** An owner has twenty streams. The page that gets none polls, says so on its console only, and takes the next that is free. */
async function tooMany({ ui, page, watch, gate, checks, owner, path }) {
  gate.hold();
  gate.cut();
  await watch.until(() => gate.holds, 'the next try');
  const taken = new AbortController();
  for (let count = 0; ; count++) {
    const reply = await fetch(`${owner.api}${path}/stream`, { headers: owner.headers, signal: taken.signal });
    if (reply.status === 429) break;
    if (!reply.ok || count > 40) throw new Error(`stream ${count} of one owner: ${reply.status}`);
  }
  const { refused, opened } = watch;
  gate.release();
  await watch.until(() => watch.refused > refused, 'the refusal');
  const unchanged = await watch.read(path);
  checks.that(unchanged.status() === 304, `without a stream, polling is answered by ${unchanged.status()}`);
  await owner.submit(path);
  await ui.status('初审中');
  checks.that(await page.locator('#problem').isHidden(), `people are told of streams: ${await page.locator('#problem').textContent()}`);

  taken.abort();
  // The server finds out that a client has gone when it next writes.
  for (let tries = 0; watch.opened === opened && tries < 60; tries++) {
    await page.clock.runFor(31_000);
    await sleep(1000);
  }
  checks.that(watch.opened === opened + 1, 'the page did not come back to its stream');
  await watch.until(() => !watch.isReading, 'the last poll');
  const mark = watch.mark();
  await page.clock.runFor(LONG_MS);
  await owner.withdraw(path);
  await ui.status('草稿');
  checks.that(texts(mark.requests()) === `GET ${path}`, `back at its stream the page asked: ${texts(mark.requests())}`);
  console.log('   too many streams: the page polls for a while');
}

/** The stream ends with the person or the piece of work that it is for. */
async function left({ ui, watch, gate, checks, api, path }) {
  checks.that(gate.streams.size === 1, `the page has ${gate.streams.size} streams`);
  await ui.logIn(OTHER);
  await watch.until(() => gate.streams.size === 0, 'the end of the stream of the person before', 10);
  const other = await Program.logIn(api, OTHER);
  const { id, order_no } = (await other.send('GET', '/v1/filings')).items[0];
  const mark = watch.mark();
  await ui.openOrder(order_no);
  await watch.until(() => gate.streams.size === 1, "the other person's stream");
  const asked = mark.requests().filter(({ text }) => text.endsWith('/stream'));
  checks.that(texts(asked) === `GET /v1/filings/${id}/stream`, `another person's page follows ${texts(asked)}, not only their own`);
  checks.that(!mark.requests().some(({ text }) => text.includes(path)), "the person before's filing was read");
}

/** The parser gives the same whatever the pieces are in which a text comes. */
async function parser(page, checks) {
  const outcome = await page.evaluate(async () => {
    const { Parser } = await import('./stream.js');
    const text = ': hello\r\nid: 1\r\nevent: a\r\nretry: 3000\r\ndata: x\r\ndata:  y:z\r\n\r\n:\n\nid:2\rdata\rother: q\r\rdata: 末\nid: 3\n\nid: 4\ndata: cut';
    const wanted = JSON.stringify([
      { id: '1', event: 'a', data: 'x\n y:z' },
      { id: '2', event: 'message', data: '' },
      { id: '3', event: 'message', data: '末' },
    ]);
    const faults = [];
    for (let at = 0; at <= text.length; at++) {
      const one = new Parser();
      const got = JSON.stringify([...one.push(text.slice(0, at)), ...one.push(text.slice(at))]);
      if (got !== wanted || one.retry !== 3000) faults.push(`${at}: ${got}`);
    }
    return faults;
  });
  checks.that(outcome.length === 0, `the parser reads otherwise when a text is cut: ${outcome[0]}`);
}
