// examples/spa from another origin: one filing from draft to approval by the page's buttons, in the hands of four people.
import { join } from 'node:path';

import { complaints } from './browser.mjs';
import { serveFolder, startBeian } from './server.mjs';
import { PASSWORD, Spa } from './spa-page.mjs';
import { streams } from './streams.mjs';

export async function spa({ browser, checks, source, screenshots }) {
  const pages = await serveFolder(join(source, 'examples/spa'));
  const strangers = await serveFolder(join(source, 'examples/spa'));
  const beian = await startBeian({ CORS_ORIGINS: pages.url, BUREAU_GATEWAY: 'manual' });
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: 'zh-CN' });
  try {
    const page = await context.newPage();
    page.setDefaultTimeout(30_000);
    const errors = complaints(page);
    const seen = await traffic(context, page);
    await page.goto(`${pages.url}/?api=${beian.url}`);
    const ui = new Spa(page, join(source, 'examples/files'));
    await walk(ui, checks, screenshots);
    await sessions(ui, checks);

    const store = seen.uploads[0] && new URL(seen.uploads[0].url).origin;
    checks.that(store && store !== beian.url && store !== pages.url, `the files went to ${store}`);
    checks.that(seen.uploads.length >= 5 && seen.uploads.every(({ status }) => status === 200), 'an upload failed');
    checks.that(seen.preflights.some((url) => url.startsWith(`${store}/`)), 'no preflight reached the store');
    checks.that(seen.preflights.some((url) => url.startsWith(`${beian.url}/`)), 'no preflight reached the API');
    // What the walk provokes on purpose: a refused log-in, a masked value, a stale token.
    const odd = errors.filter((text) => !/status of (401|422)/.test(text));
    checks.that(odd.length === 0, `the page complains: ${odd.join('\n')}`);
    console.log(`   ${seen.uploads.length} uploads to the store, ${seen.preflights.length} preflights`);

    await streams({ browser, checks, files: ui.files, pages: pages.url, api: beian.url });
    await strange(context, checks, strangers.url, pages.url, beian.url);
  } finally {
    await context.close();
    await Promise.all([beian.stop(), pages.stop(), strangers.stop()]);
  }
}

/** Counts uploads and preflights (which Playwright does not show, so the browser's own protocol is asked). */
async function traffic(context, page) {
  const seen = { uploads: [], preflights: [] };
  page.on('response', (reply) => {
    if (reply.request().method() === 'PUT' && /X-Amz-Signature/i.test(reply.url())) seen.uploads.push({ url: reply.url(), status: reply.status() });
  });
  const protocol = await context.newCDPSession(page);
  await protocol.send('Network.enable');
  protocol.on('Network.requestWillBeSent', ({ request }) => request.method === 'OPTIONS' && seen.preflights.push(request.url));
  return seen;
}

/** Work without a stream is read again and again; as long as nothing changed, the answer is 304. */
async function polled({ page }, checks, list) {
  const isUnchanged = (reply) => reply.status() === 304 && new URL(reply.url()).pathname.startsWith(`/v1/${list}/`);
  const reply = await page.waitForResponse(isUnchanged, { timeout: 60_000 }).catch(() => null);
  checks.that(reply, `polling of ${list} was never answered by 304`);
}

const APPLICANT = 'demo-applicant-2';

async function walk(ui, checks, screenshots) {
  const { page } = ui;
  console.log(`${APPLICANT} changes a website in examples/spa`);
  await page.fill('#login [name=login]', APPLICANT);
  await page.fill('#login [name=password]', 'wrong');
  await page.click('#login button');
  await page.locator('#problem', { hasText: '用户名或密码' }).waitFor();
  await ui.logIn(APPLICANT);
  await ui.press('createFiling');
  await ui.status('草稿');
  const orderNo = (await page.locator('#page h2').innerText()).split(' ')[0];
  checks.that(await ui.button('submitFiling').isDisabled(), 'an unchanged draft can be submitted');
  await page.locator('.blocked', { hasText: '尚未修改任何信息' }).waitFor();

  // A fault of one field stands beside it. Then a faulty draft is saved, and check tells what is wrong.
  const mobile = '/website/responsible_person/mobile';
  await ui.ask('updateFiling');
  await ui.fill({ [mobile]: '139****1234' });
  await page.locator(`dialog [data-pointer="${mobile}"] .of-field`).waitFor();
  await ui.fill({
    [mobile]: '13900001234',
    '/website/name': '123',
    '/website/same_as_subject_responsible_person': false,
    '/website/responsible_person/name': '赵明',
    '/website/responsible_person/certificate_number': '11010519491231002X',
    '/website/responsible_person/certificate_valid_from': '2016-05-01',
    '/website/responsible_person/certificate_valid_to': '2046-05-01',
    '/website/responsible_person/emergency_phone': '13800005678',
    '/website/responsible_person/email': 'zhaoming@example.com',
  });
  await ui.closed();
  await ui.press('checkFiling');
  await page.locator('#findings .fault').first().waitFor();
  await ui.step('updateFiling', { '/website/name': '光影读书笔记' });

  // Materials, until none is demanded any more.
  for (let count = 0; ; count++) {
    await ui.ask('createAttachment');
    const wanted = await page.locator('dialog [name=purpose] option:checked').innerText();
    if (!wanted.includes('必需') || count > 5) {
      checks.that(count >= 2 && count <= 5, `${count} materials were demanded`);
      await page.click('dialog button[type=button]');
      break;
    }
    const file = { 人像: 'identity-card-front.jpg', 国徽: 'identity-card-back.jpg' }[wanted.match(/人像|国徽/)?.[0]] ?? 'authorisation-letter.pdf';
    await ui.fill({ file });
    await ui.closed();
    console.log(`   ${wanted}: ${file}`);
  }
  const submit = async () => {
    await ui.ask('submitFiling');
    await ui.tickAll();
    await ui.status('初审中');
  };
  await submit();

  await ui.logIn('demo-reviewer');
  await ui.openOrder(orderNo);
  await polled(ui, checks, 'reviews');
  await ui.press('claimReview');
  await ui.step('rejectReview', { code: 'SITE_NAME_UNRELATED', reason: '名称与网站内容无关，请使用与内容相符的名称' });

  await ui.switchTo(APPLICANT);
  await ui.openOrder(orderNo);
  await ui.status('初审驳回');
  await page.locator('#rejection li', { hasText: '名称与网站内容无关' }).waitFor();
  if (screenshots) await page.screenshot({ path: join(screenshots, 'spa.png') });
  await ui.ask('updateFiling');
  await page.locator('dialog [data-pointer="/rejection_replies"] textarea').fill('已改为与内容相符的名称');
  await ui.fill({ '/website/name': '李娜读书笔记' });
  await ui.closed();
  await submit();

  await review(ui, orderNo);
  await ui.switchTo(APPLICANT);
  await ui.openOrder(orderNo);
  await ui.status('待拍照核验');
  await ui.step('createBackdropShipment', {
    recipient_name: '赵明', phone: '13900001234', province_code: '110000', city_code: '110100', district_code: '110105',
    street_address: '示例大街2号院3号楼402室', postcode: '100020',
  });

  await ui.logIn('demo-logistics');
  await ui.openOrder(orderNo);
  await polled(ui, checks, 'backdrop-shipments');
  await ui.press('packBackdropShipment');
  await ui.step('shipBackdropShipment', { carrier_code: 'shunfeng', tracking_number: 'SF1765432101' });
  await ui.press('markShipmentDelivered');
  await ui.status('已签收');

  await ui.switchTo(APPLICANT);
  await ui.openOrder(orderNo);
  await ui.step('createPhotoVerification', { file: 'photo-too-small.jpg' });
  await ui.press('submitPhotoVerification');
  await page.locator('#photo-findings li').first().waitFor({ timeout: 60_000 });
  await ui.step('createPhotoVerification', { file: 'photo.jpg' });
  await ui.press('submitPhotoVerification');
  await ui.status('照片审核中');

  await review(ui, orderNo, 'createPhotoPreview');
  await ui.logIn('demo-bureau');
  await ui.openOrder(orderNo);
  await polled(ui, checks, 'bureau-submissions');
  await ui.press('dispatchBureauSubmission');
  await ui.step('acceptBureauSubmission', { external_reference: 'GJ-2026-000789' });
  // A province that asks for SMS offers to record the result first.
  await ui.button('decideBureauSubmission').or(ui.button('confirmBureauSms')).first().waitFor();
  while (await ui.button('confirmBureauSms').count()) {
    await ui.step('confirmBureauSms', { state: 'confirmed' });
    await page.waitForTimeout(500);
  }
  await ui.step('decideBureauSubmission', { external_reference: 'GJ-2026-000789-J', result: 'approved', result_code: '1001' });

  await ui.switchTo(APPLICANT);
  await page.locator('#page h3', { hasText: '李娜读书笔记' }).waitFor();
  await ui.openOrder(orderNo);
  await ui.status('管局审核通过');
}

/** The reviewer claims, looks at the picture, ticks everything and approves. */
async function review(ui, orderNo, look) {
  await ui.switchTo('demo-reviewer');
  await ui.openOrder(orderNo);
  await ui.press('claimReview');
  await ui.button('approveReview').waitFor();
  if (look) {
    await ui.press(look);
    await ui.page.waitForFunction(() => document.querySelector('img.preview')?.naturalWidth > 100);
  }
  await ui.ask('approveReview');
  await ui.tickAll();
}

/** Whoever reloads stays logged in, and an access token that is not taken any more is renewed unseen. */
async function sessions(ui, checks) {
  const { page } = ui;
  await page.evaluate(() => {
    const people = JSON.parse(sessionStorage.people);
    for (const one of people) one.tokens.access_token = 'stale';
    sessionStorage.people = JSON.stringify(people);
  });
  await page.reload();
  await page.locator('#list button').first().waitFor();
  const people = await page.evaluate(() => JSON.parse(sessionStorage.people));
  checks.that(people.at(-1).tokens.access_token !== 'stale', 'the access token was not renewed');
  checks.that(people.length === 4, `${people.length} people are logged in`);
}

/** A filing of the first customer. */
const FOLLOWED = '0193a000-0000-7000-8000-000000015001';

/** The same page from an origin that the server does not know: the browser keeps API and store from it. */
async function strange(context, checks, stranger, known, api) {
  const reach = async (origin) => {
    const page = await context.newPage();
    const errors = complaints(page);
    await page.goto(`${origin}/?api=${api}`);
    await page.fill('#login [name=login]', APPLICANT);
    await page.fill('#login [name=password]', PASSWORD);
    await page.click('#login button');
    await page.locator('#people button').or(page.locator('#problem:not([hidden])')).first().waitFor();
    const outcome = { people: await page.locator('#people button').count(), problem: await page.locator('#problem').textContent(), errors };
    await page.close();
    return outcome;
  };
  const refused = await reach(stranger);
  checks.that(refused.people === 0 && /CORS_ORIGINS/.test(refused.problem), `a strange origin is let in: ${refused.problem}`);
  checks.that(refused.errors.some((text) => /blocked by CORS policy/.test(text)), 'the browser did not refuse the strange origin');
  const welcome = await reach(known);
  checks.that(welcome.people === 1, `the known origin is refused: ${welcome.problem}`);
  console.log('   a strange origin is refused by the browser, the known one is not');

  const follow = async (origin) => {
    const page = await context.newPage();
    await page.goto(origin);
    const answer = await page.evaluate(async ({ url, token }) => {
      const reply = await fetch(url, { headers: { Authorization: `Bearer ${token}` } }).catch(() => null);
      const first = reply && (await reply.body.getReader().read());
      return reply ? new TextDecoder().decode(first.value) : 'refused';
    }, { url: `${api}/v1/filings/${FOLLOWED}/stream`, token: await logIn(api) });
    await page.close();
    return answer;
  };
  checks.that((await follow(stranger)) === 'refused', 'a strange origin can follow a filing');
  const told = await follow(known);
  checks.that(told.includes('event: stream.opened'), `the known origin cannot follow a filing: ${told}`);

  const url = await upload(api);
  const put = async (origin) => {
    const page = await context.newPage();
    await page.goto(origin);
    const answer = await page.evaluate(({ url, headers }) => {
      delete headers['content-length'];
      delete headers.host;
      return fetch(url, { method: 'PUT', headers, body: 'x' }).then((reply) => reply.status, () => 'refused');
    }, url);
    await page.close();
    return answer;
  };
  checks.that((await put(stranger)) === 'refused', 'a strange origin reaches the store');
  // One byte is not the declared file: the store itself refuses it, so its reply was readable.
  const answer = await put(known);
  checks.that(answer >= 400, `the known origin cannot read the store's reply: ${answer}`);
}

const JSON_TYPE = { 'Content-Type': 'application/json' };

/** An access token of the first customer. */
async function logIn(api) {
  const body = JSON.stringify({ login: 'demo-applicant', password: PASSWORD });
  const reply = await fetch(`${api}/v1/auth/login`, { method: 'POST', headers: JSON_TYPE, body });
  return (await reply.json()).access_token;
}

/** An upload address of a draft, asked for by a program. */
async function upload(api) {
  const headers = { ...JSON_TYPE, Authorization: `Bearer ${await logIn(api)}` };
  const { items } = await (await fetch(`${api}/v1/filings?status=draft`, { headers })).json();
  const body = { purpose: 'identity_card_front', file_name: 'a.jpg', content_type: 'image/jpeg', size_bytes: 100, sha256: 'a'.repeat(64) };
  const made = await fetch(`${api}/v1/filings/${items[0].id}/attachments`, { method: 'POST', headers, body: JSON.stringify(body) });
  return (await made.json()).upload;
}
