// The page: who is logged in, their work list, and one piece of work with the buttons that the API offers.
//
// Which buttons there are, what they are called, whether they can be pressed and which request they send is read from
// `next_actions`. What to tell the person is `prompt`. Which fields can be changed is `editable_fields`. Nothing here knows
// the states of a filing.
import { Problem, Session } from './api.js';
import { element, facts, time } from './dom.js';
import { formOf } from './forms.js';
import { follow } from './stream.js';

const $ = (id) => document.getElementById(id);
/** The work list of each role. */
const LISTS = {
  applicant: '/v1/filings', reviewer: '/v1/reviews', senior_reviewer: '/v1/reviews',
  logistics: '/v1/backdrop-shipments', bureau_operator: '/v1/bureau-submissions',
};
/** How often what has no stream is read. */
const POLL_MS = 2000;

let people = [];
let session = null;
/** What is open: `{path, body, etag, about?}`. */
let open = null;
/** Ends the stream of what is open. */
let following = null;
/** Whether changes of what is open come by a stream, so that nothing has to ask. */
let isTold = false;
/** Something has changed that is not shown yet. */
let isBehind = false;
let isCatchingUp = false;
/** What the page told when such a read failed. */
let readingFault = null;
let cursor = null;
let listsAsked = 0;

// ---- people

const saved = () => JSON.parse(sessionStorage.getItem('people') ?? '[]');
function save() {
  sessionStorage.setItem('people', JSON.stringify(people.map(({ base, login, tokens, me }) => ({ base, login, tokens, me }))));
}

function join(one) {
  people = [...people.filter(({ login, base }) => login !== one.login || base !== one.base), one];
  one.onTokens = save;
  save();
}

async function use(one) {
  session = one;
  open = null;
  listen();
  $('page').replaceChildren();
  showPeople();
  $('search').hidden = !listPath();
  await Promise.all([showList(), home()]);
}

function showPeople() {
  $('people').replaceChildren(
    ...people.map((one) => element('button', { type: 'button', 'aria-current': one === session, click: () => guarded(() => use(one)) }, `${one.me.display_name}（${one.login}）`)),
  );
}

const listPath = () => LISTS[session.me.roles.find((role) => role in LISTS)];

// ---- lists

async function showList(isMore = false) {
  const path = listPath();
  const asked = ++listsAsked;
  if (!path) return $('list').replaceChildren();
  const query = new URLSearchParams();
  const q = $('search').elements.q.value.trim();
  if (q) query.set('q', q);
  if (isMore) query.set('cursor', cursor);
  const { body } = await session.get(`${path}?${query}`);
  // A later question was asked meanwhile: its answer counts, whichever comes first.
  if (asked !== listsAsked) return;
  if (!isMore) $('list').replaceChildren();
  cursor = body.next_cursor;
  $('more').hidden = !body.has_more;
  for (const item of body.items) {
    const text = [item.order_no, item.website_name ?? item.recipient_name, item.stage_label, item.status_label ?? item.state_label].filter(Boolean);
    $('list').append(element('li', {}, element('button', { type: 'button', 'data-id': item.id, click: () => guarded(() => show(`${path}/${item.id}`)) }, text.join(' · '))));
  }
  if (!$('list').children.length) $('list').append(element('li', { class: 'hint' }, '没有内容'));
}

/** The owner's home page: websites, and what can be done with each. */
async function home() {
  if (!session.me.roles.includes('applicant')) return;
  const { body } = await session.get('/v1/overview');
  if (open) return;
  $('page').replaceChildren(
    element('h2', {}, '我的网站'),
    ...body.websites.map((website) =>
      element('section', {}, element('h3', {}, `${website.name} ${website.icp_number}`), element('p', { class: 'hint' }, website.domain_names.join('、')), buttons(website.next_actions, website)),
    ),
  );
}

// ---- one piece of work

async function show(path) {
  const asked = session;
  const reply = await session.get(path);
  // Meanwhile the page is another person's.
  if (asked !== session) return;
  const isSame = open?.path === path;
  open = { path, body: reply.body, etag: reply.etag, preview: isSame ? open.preview : null };
  draw();
  if (!isSame) listen();
}

/** Only owners have streams, and only of filings. Everything else is polled. */
const streamOf = () => (open && session.me.roles.includes('applicant') && open.path.startsWith('/v1/filings/') ? `${open.path}/stream` : null);

/** Follows what is open now and nothing else. Nobody looks at a hidden tab, and a browser has six connections to a server. */
async function listen() {
  following?.abort();
  following = new AbortController();
  const { signal } = following;
  isTold = isBehind = false;
  const path = streamOf();
  if (!path || document.hidden) return;
  // Until the stream is refused it is as good as there: it begins with a read.
  isTold = true;
  const opened = () => {
    isTold = true;
    console.info(`stream opened: ${path}`);
    // What happened before it was open is not told.
    catchUp();
  };
  const happened = ({ id, event }) => {
    console.info(`stream event: ${event} ${id}`);
    catchUp();
  };
  const lost = (reason, isFinal) => {
    isTold = false;
    console.warn(`stream refused${isFinal ? ' for good' : ''}, polling instead: ${reason}`);
  };
  await follow(session, path, { signal, opened, tell: happened, lost });
}

/** Reads again what has changed, without disturbing: what cannot be shown now is caught up with later. */
async function catchUp() {
  isBehind = true;
  if (isCatchingUp) return;
  isCatchingUp = true;
  try {
    while (isBehind && session && open && !$('dialog').open && !document.hidden) {
      isBehind = false;
      await reread();
      // What an earlier try complained of is over.
      if ($('problem').textContent === readingFault) $('problem').hidden = true;
    }
  } catch (problem) {
    isBehind = true;
    if (!(problem instanceof Problem)) throw problem;
    tell(problem);
    readingFault = $('problem').textContent;
  } finally {
    isCatchingUp = false;
  }
}

/** 304 as long as nothing changed. */
async function reread() {
  const { path, etag } = open;
  const asked = session;
  const reply = await session.get(path, etag ? { 'If-None-Match': etag } : {});
  // Whatever was opened meanwhile was read later than this.
  if (asked !== session || open?.path !== path) return;
  // What was read meanwhile may be older or newer than this: only asking again tells. Nor is anything drawn behind a dialog.
  if (open.etag !== etag || $('dialog').open) isBehind = true;
  else if (reply.status === 200) {
    Object.assign(open, { body: reply.body, etag: reply.etag });
    draw();
  }
}

function draw() {
  const { body } = open;
  for (const row of $('list').querySelectorAll('button')) row.setAttribute('aria-current', row.dataset.id === body.id);
  const head = [
    element('h2', {}, `${body.order_no} ${body.kind_label ?? body.stage_label ?? ''}`),
    element('p', {}, element('strong', { id: 'status' }, body.status_label ?? body.state_label), body.due_at ? ` 截止 ${time(body.due_at)}` : ''),
    body.prompt ? element('div', { class: 'prompt' }, element('strong', {}, body.prompt.title), element('p', {}, body.prompt.text)) : '',
  ];
  // Buttons stay the same elements as long as they say the same: a click that is under way when news come must not get lost.
  const key = JSON.stringify([open.path, body.next_actions]);
  const old = $('page').querySelector('#actions');
  const isSame = old?.dataset.key === key;
  const actions = isSame ? old : element('div', { id: 'actions', 'data-key': key }, buttons(body.next_actions));
  if (!isSame) $('page').replaceChildren(actions);
  for (const other of [...$('page').children]) if (other !== actions) other.remove();
  actions.before(...head);
  actions.after(open.preview ?? '', ...parts(body));
  for (const stray of [...$('page').childNodes]) if (stray.nodeType === Node.TEXT_NODE) stray.remove();
}

/** What the resource says, for any of the kinds of work. */
function parts(body) {
  const list = [];
  const add = (title, ...content) => list.push(element('h3', {}, title), ...content);
  for (const rejection of body.rejection ? [body.rejection] : []) {
    add('驳回原因', element('ul', { id: 'rejection' }, rejection.items.map((item) => element('li', {}, `${item.label}：${item.title}。${item.reason}`, item.suggestion ? element('div', { class: 'hint' }, item.suggestion) : ''))));
  }
  for (const photo of [body.current_photo_verification ?? body.photo_verification].filter(Boolean)) {
    add('核验照片', element('p', {}, `第 ${photo.attempt_no} 次：${photo.state_label}`), element('ul', { id: 'photo-findings' }, photo.findings.map((finding) => element('li', {}, `${finding.message} ${finding.suggestion}`))));
  }
  const parcel = body.current_shipment ?? (body.recipient_name ? body : null);
  if (parcel) add('幕布', facts([['状态', parcel.state_label], ['收件人', parcel.recipient_name], ['地址', `${parcel.region} ${parcel.street_address}`], ['快递', [parcel.carrier_name, parcel.tracking_number].filter(Boolean).join(' ')]]));
  const bureau = body.bureau ?? (body.bureau_name ? { ...body, name: body.bureau_name } : null);
  if (bureau) add('管局', facts([['名称', bureau.name], ['备案号', bureau.icp_number], ['对方编号', bureau.external_reference], ['结果', [bureau.result_code, bureau.result_text].filter(Boolean).join(' ')]]));
  if (body.changes_against_filed) add('变更内容', facts(body.changes_against_filed.map((change) => [change.label, `${text(change.before)} → ${text(change.after)}`])));
  if (body.website) {
    const { responsible_person: person, ...site } = body.website;
    add('网站', facts([['名称', site.name], ['首页', site.home_url], ['域名', site.domains?.map(({ unicode_name }) => unicode_name).join('、')], ['备注', site.remark], ['负责人', person?.name], ['手机', person?.mobile]]));
  }
  return list;
}

const text = (value) => (value === null || value === undefined ? '（空）' : typeof value === 'object' ? JSON.stringify(value) : String(value));

/** The buttons; of the work that is open, or of a resource in a list. */
function buttons(actions, resource) {
  const blocked = actions.flatMap((action) => action.blocked_by.map((reason) => `${action.label}：${reason.label}`));
  return element(
    'div',
    {},
    element('div', { class: 'buttons' }, actions.map((action) =>
      element('button', { type: 'button', class: action.is_primary && 'primary', disabled: !action.is_enabled, 'data-operation': action.operation_id, click: () => guarded(() => take(action, resource ?? open.body)) }, action.label),
    )),
    blocked.map((reason) => element('p', { class: 'blocked' }, reason)),
  );
}

/** A button was pressed: reads lead on, everything else asks for what the body needs and sends it. */
async function take(action, resource) {
  if (action.method === 'GET' && action.operation_id === 'getFiling') return show(action.href);
  if (action.method === 'GET') return result((await session.get(action.href)).body);
  const form = await formOf(action, { session, resource });
  if (!form || !form.fields.length) return send(action, form);
  ask(action, form);
}

function ask(action, form) {
  const dialog = $('dialog');
  const faults = element('p', { class: 'fault', role: 'alert' });
  const progress = element('progress', { max: 1, value: 0, hidden: true });
  const confirm = element('button', { class: 'primary' }, '确定');
  // One key for the dialog: pressing twice, or again after a lost reply, does it once.
  let key = crypto.randomUUID();
  const view = element(
    'form',
    {
      submit: async (event) => {
        event.preventDefault();
        confirm.disabled = true;
        faults.textContent = '';
        view.querySelectorAll('.of-field').forEach((old) => old.remove());
        try {
          const onProgress = (part) => Object.assign(progress, { hidden: false, value: part });
          await send(action, form, key, onProgress);
          dialog.close();
        } catch (problem) {
          if (!(problem instanceof Problem)) throw problem;
          key = crypto.randomUUID();
          // Changed meanwhile: the next try is about what is shown behind the dialog then.
          if (open && (problem.status === 409 || problem.status === 412)) await show(open.path);
          explain(problem, view, faults);
        } finally {
          confirm.disabled = false;
        }
      },
    },
    element('h2', { id: 'dialog-title' }, action.label),
    form.fields,
    progress,
    faults,
    element('div', { class: 'buttons' }, confirm, element('button', { type: 'button', click: () => dialog.close() }, '取消')),
  );
  dialog.replaceChildren(view);
  dialog.showModal();
}

/** Puts each fault beside the field that its pointer names, the others below. */
function explain(problem, view, faults) {
  faults.textContent = `${problem.body.title}${problem.body.detail ? `：${problem.body.detail}` : ''}`;
  for (const error of problem.errors) {
    const place = [...view.querySelectorAll('[data-pointer]')].find(({ dataset }) => error.pointer === dataset.pointer || error.pointer?.startsWith(`${dataset.pointer}/`));
    const line = element('span', { class: 'fault of-field' }, error.detail);
    if (place) place.append(line);
    else faults.append(element('span', { class: 'of-field' }, ` ${error.pointer ?? error.parameter ?? error.header ?? ''} ${error.detail}`));
  }
}

async function send(action, form, key = crypto.randomUUID(), onProgress) {
  const headers = {};
  // The person acts on what they saw: if it changed meanwhile, the API answers 412.
  if (open?.etag && (action.method === 'PATCH' || action.href.startsWith(`${open.path}/`))) headers['If-Match'] = open.etag;
  if (action.method === 'POST') headers['Idempotency-Key'] = key;
  const reply = await session.send(action.method, action.href, await form?.body(), headers);
  await form?.after?.(reply, onProgress);
  // A step may create what the page should show next, answer with the thing itself, or with something to be read once.
  if (!open && reply.location) await Promise.all([show(reply.location), showList()]);
  else if (open) {
    await Promise.all([show(open.path), showList()]);
    if (!form?.after && reply.body && reply.body.id === undefined) result(reply.body);
  } else if (reply.body) result(reply.body);
}

/** Shows what a step answered: the findings of a check, a picture or file, else the members. */
function result(body) {
  let view;
  if (body.findings) view = element('ul', { id: 'findings' }, body.findings.length ? body.findings.map((finding) => element('li', { class: finding.severity === 'error' && 'fault' }, finding.message, element('div', { class: 'hint' }, finding.suggestion))) : element('li', {}, '没有发现问题'));
  else if (body.url) view = element('p', {}, element('a', { href: body.url, target: '_blank', rel: 'noopener' }, '打开文件'), /\.jpe?g/i.test(body.url) ? element('img', { class: 'preview', src: body.url, alt: '' }) : '');
  else view = facts(Object.entries(body).filter(([, value]) => typeof value !== 'object'));
  if (open) open.preview = view;
  open ? draw() : $('page').replaceChildren(view);
}

// ---- what can go wrong anywhere

/** Runs a step of the page; a refusal is told, and one that means "changed meanwhile" reads again. */
async function guarded(step) {
  $('problem').hidden = true;
  // One step after the other: the next button is about what this one leads to.
  $('page').inert = true;
  try {
    await step();
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    tell(problem);
    if (open && (problem.status === 409 || problem.status === 412)) await show(open.path);
  } finally {
    $('page').inert = false;
  }
}

function tell(problem) {
  const details = problem.errors.map((error) => `${error.pointer ?? error.parameter ?? error.header ?? ''} ${error.detail}`.trim());
  $('problem').textContent = [problem.body.title, problem.body.detail, ...details].filter(Boolean).join(' ');
  $('problem').hidden = false;
}

// ---- start

const fields = $('login').elements;
fields.api.value = new URLSearchParams(location.search).get('api') ?? sessionStorage.getItem('api') ?? 'http://127.0.0.1:8080';
$('login').addEventListener('submit', (event) => {
  event.preventDefault();
  guarded(async () => {
    sessionStorage.setItem('api', fields.api.value);
    const one = await Session.open(fields.api.value, fields.login.value, fields.password.value);
    fields.password.value = '';
    join(one);
    await use(one);
  });
});
$('dialog').addEventListener('close', () => {
  $('dialog').replaceChildren();
  if (isBehind) catchUp();
});
// A tab that comes to the front is followed again, and that begins with a read.
document.addEventListener('visibilitychange', () => listen());
$('search').addEventListener('submit', (event) => (event.preventDefault(), guarded(() => showList())));
$('more').addEventListener('click', () => guarded(() => showList(true)));
people = saved().map(({ base, login, tokens, me }) => Object.assign(new Session(base, login, tokens), { me, onTokens: save }));
if (people.length) guarded(() => use(people.at(-1)));

/** Polls what nothing is told about, and tries again where a read has failed. */
async function keepFresh() {
  if (!isTold || isBehind) await catchUp();
  setTimeout(keepFresh, POLL_MS);
}
keepFresh();
