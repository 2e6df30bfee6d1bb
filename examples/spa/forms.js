// What the body of a step needs from the person. The buttons come from the API (`next_actions`); this file only knows forms:
// a few of its own, and for all other operations one made from the body's schema in the API's OpenAPI document.
import { declaration, upload } from './api.js';
import { element } from './dom.js';

const LABELS = {
  recipient_name: '收件人', phone: '电话', province_code: '省份', city_code: '城市', district_code: '区县',
  street_address: '详细地址', postcode: '邮编', carrier_code: '快递公司', tracking_number: '快递单号', reason: '原因',
  external_reference: '对方编号', order_no: '备案订单号', icp_number: '备案号', result: '结果', result_code: '结果代码',
  result_text: '结果说明', note: '备注', role: '核验对象', state: '状态', wrong_attempts: '错误次数', user_id: '人员', text: '内容',
};
const VALUES = { approved: '通过', rejected: '驳回', pending: '待核验', confirmed: '已核验', failed: '失败' };
/** Where the choices of a field are listed, and which member is the code. */
const CHOICES = {
  carrier_code: () => '/v1/carriers',
  province_code: () => '/v1/regions',
  city_code: (values) => values.province_code && `/v1/regions?parent=${values.province_code}`,
  district_code: (values) => values.city_code && `/v1/regions?parent=${values.city_code}`,
};

const field = (label, pointer, input, hint) =>
  element('label', { class: 'field', 'data-pointer': pointer }, label, input, hint && element('span', { class: 'hint' }, hint));
const option = (value, text) => element('option', { value }, text);

/** The form of an operation: `{fields, body(), perform?}`; null when there is nothing to fill in. */
export async function formOf(action, context) {
  const own = OWN[action.operation_id];
  if (own) return own(context, action);
  return fromSchema(action, context);
}

/** Texts, numbers, choices and yes/no of the body's schema; lists and objects only where a form of its own knows them. */
async function fromSchema(action, { session, resource }) {
  const { schema, schemas } = await bodySchema(session, action.operation_id);
  if (!schema) return null;
  const inputs = new Map();
  const values = () => Object.fromEntries([...inputs].map(([name, input]) => [name, read(input)]).filter(([, value]) => value !== ''));
  const fields = [];
  for (const [name, member] of Object.entries(schema.properties)) {
    const type = [member.type].flat()[0] ?? 'string';
    if (member.$ref && schemas[member.$ref.split('/').pop()].type === 'object') continue;
    if (type === 'array' || type === 'object' || member.oneOf || member.format === 'date-time') continue;
    const required = (schema.required ?? []).includes(name);
    const choices = member.enum ?? schemas[member.$ref?.split('/').pop()]?.enum;
    let input;
    if (type === 'boolean') input = element('input', { type: 'checkbox', name });
    else if (choices) input = element('select', { name, required }, choices.map((value) => option(value, VALUES[value] ?? value)));
    else if (CHOICES[name]) input = element('select', { name, required });
    else input = element('input', { name, required, maxlength: member.maxLength, type: type === 'integer' ? 'number' : 'text' });
    // What the step is about is echoed, so that it cannot hit another one.
    if (typeof resource[name] === 'string' && input.tagName === 'INPUT') input.value = resource[name];
    inputs.set(name, input);
    fields.push(field(LABELS[name] ?? name, `/${name}`, input));
  }
  const fill = async (name) => {
    const path = CHOICES[name](values());
    const items = path ? (await session.get(path)).body.items : [];
    inputs.get(name).replaceChildren(option('', '请选择'), ...items.map((item) => option(item.code, item.name)));
  };
  for (const [name, input] of inputs) {
    if (!CHOICES[name]) continue;
    await fill(name);
    const below = { province_code: ['city_code', 'district_code'], city_code: ['district_code'] }[name] ?? [];
    input.addEventListener('change', () => below.filter((other) => inputs.has(other)).forEach(fill));
  }
  return { fields, body: values };
}

const documents = new Map();
async function bodySchema(session, operationId) {
  if (!documents.has(session.base)) documents.set(session.base, (await session.get('/openapi.json')).body);
  const { paths, components } = documents.get(session.base);
  const operation = Object.values(paths).flatMap(Object.values).find((operation) => operation.operationId === operationId);
  const name = operation?.requestBody?.content['application/json']?.schema.$ref?.split('/').pop();
  return { schema: components.schemas[name], schemas: components.schemas };
}

function read(input) {
  if (input.type === 'checkbox') return input.checked;
  if (input.type === 'number') return input.value === '' ? '' : Number(input.value);
  return input.value.trim();
}

const OWN = {
  /** A website's data contain what the new filing is about. */
  createFiling: ({ resource }) => ({ fields: [], body: () => ({ kind: 'website_change', website_id: resource.id }) }),
  submitFiling: terms,
  updateFiling: edit,
  createAttachment: material,
  createPhotoVerification: photo,
  approveReview: (context) => checklist(context),
  saveReviewDraft: (context) => checklist(context),
  rejectReview: rejection,
};

async function terms({ session }) {
  const { body } = await session.get('/v1/terms/current');
  const parts = [body.service_terms, body.personal_information_consent];
  const fields = parts.flatMap((part) => [
    element('div', { class: 'terms', tabindex: 0 }, part.text),
    element('label', {}, element('input', { type: 'checkbox', required: true }), ` 我已阅读并同意（${part.version}）`),
  ]);
  return {
    fields,
    body: () => ({ terms_version: parts[0].version, personal_information_consent_version: parts[1].version }),
  };
}

/** The fields that the filing says are editable, as the kind's form describes them. Only what was changed is sent. */
async function edit({ session, resource }) {
  const form = (await session.get(`/v1/filing-kinds/${resource.kind}`)).body;
  const described = form.sections.flatMap((section) => section.fields).filter(({ pointer }) => resource.editable_fields.includes(pointer));
  const names = [...new Set(described.map(({ dictionary }) => dictionary).filter(Boolean))];
  const lists = new Map();
  for (const name of names) {
    lists.set(name, (await session.get(`/v1/dictionaries?name=${name}`)).body.items[0]?.entries ?? []);
  }
  const readers = [];
  const fields = described.map((item) => {
    const before = item.pointer.split('/').slice(1).reduce((node, name) => node?.[name], resource);
    const { element: input, value } = inputFor(item, before, lists.get(item.dictionary));
    readers.push([item.pointer, value]);
    return field(item.label + (item.required ? ' *' : ''), item.pointer, input, item.hint);
  });
  const replies = (resource.rejection?.items ?? []).map((item) => ({ item, input: element('textarea', { name: `reply-${item.id}`, maxlength: 500 }) }));
  for (const { item, input } of replies) fields.unshift(field(`回复：${item.label}，${item.reason}`, '/rejection_replies', input, item.suggestion));
  return {
    fields,
    body: () => {
      const patch = {};
      for (const [pointer, value] of readers) {
        const changed = value();
        if (changed === undefined) continue;
        const path = pointer.split('/').slice(1);
        const last = path.pop();
        path.reduce((node, name) => (node[name] ??= {}), patch)[last] = changed;
      }
      const answered = replies.filter(({ input }) => input.value.trim());
      if (answered.length) patch.rejection_replies = answered.map(({ item, input }) => ({ item_id: item.id, reply: input.value.trim() }));
      return patch;
    },
  };
}

/** An input for a field of the form; its value is undefined as long as it was not changed. */
function inputFor({ pointer, is_masked }, before, entries) {
  const name = pointer;
  if (typeof before === 'boolean') {
    const input = element('input', { type: 'checkbox', name });
    input.checked = before;
    return { element: input, value: () => (input.checked === before ? undefined : input.checked) };
  }
  if (Array.isArray(before)) {
    // A list of codes is chosen from its dictionary. Of objects (domains) one can only drop some.
    const isCodes = entries && before.every((value) => typeof value === 'string');
    const all = isCodes ? entries.map(({ code, label }) => [code, label]) : before.map((value) => [value, value.unicode_name ?? value.label ?? value.name]);
    const boxes = all.map(([value, label]) => {
      const box = element('input', { type: 'checkbox', name, value: label });
      box.checked = box.defaultChecked = before.includes(value);
      return { value, box, label };
    });
    const clean = (value) => (value.unicode_name ? { name: value.name } : value);
    return {
      element: element('span', {}, boxes.map(({ box, label }) => element('label', {}, box, ` ${label} `))),
      value: () =>
        boxes.every(({ box }) => box.checked === box.defaultChecked) ? undefined : boxes.filter(({ box }) => box.checked).map(({ value }) => clean(value)),
    };
  }
  const input = entries
    ? element('select', { name }, option('', '请选择'), entries.map(({ code, label }) => option(code, label)))
    : element('input', { name, type: /_(from|to|on)$/.test(pointer) ? 'date' : 'text' });
  // A mask must not come back: what is shown masked is typed anew or left alone.
  if (is_masked) input.placeholder = before ?? '';
  else input.value = before ?? '';
  const first = input.value;
  return { element: input, value: () => (input.value === first ? undefined : input.value.trim() || null) };
}

const fileInput = (types) => element('input', { type: 'file', name: 'file', required: true, accept: types.join(',') });

/** Declare, upload straight to the store, complete. */
async function material({ session, resource }) {
  const { items } = (await session.get(`/v1/filings/${resource.id}/requirements`)).body;
  const purpose = element('select', { name: 'purpose', required: true }, items.map((item) => option(item.code, `${item.label}${item.is_satisfied ? '（已上传）' : item.required ? '（必需）' : ''}`)));
  const open = items.find((item) => item.required && !item.is_satisfied);
  if (open) purpose.value = open.code;
  const file = fileInput([...new Set(items.flatMap((item) => item.accepted_types))]);
  return {
    fields: [field('资料', '/purpose', purpose), field('文件', '/sha256', file)],
    body: async () => ({ purpose: purpose.value, ...(await declaration(file.files[0])) }),
    after: async (reply, onProgress) => {
      await upload(reply.body.upload, file.files[0], onProgress);
      await session.send('POST', `${reply.location}/complete`);
    },
  };
}

/** Declare and upload; the filing's next action then is to submit the photo. */
async function photo({ session }) {
  const guide = (await session.get('/v1/photo-guide')).body;
  const file = fileInput(['image/jpeg', 'image/png']);
  return {
    fields: [element('ul', {}, guide.items.map((item) => element('li', {}, item.text ?? item.title))), field('照片', '/sha256', file)],
    body: () => declaration(file.files[0]),
    after: (reply, onProgress) => upload(reply.body.upload, file.files[0], onProgress),
  };
}

function checklist({ resource }) {
  const boxes = resource.checklist.map((check) => {
    const box = element('input', { type: 'checkbox', name: check.code });
    box.checked = check.checked;
    return { check, box };
  });
  return {
    fields: [element('fieldset', { 'data-pointer': '/checklist' }, boxes.map(({ check, box }) => element('div', {}, element('label', {}, box, ` ${check.label}`))))],
    body: () => ({ checklist: boxes.filter(({ box }) => box.checked).map(({ check }) => check.code) }),
  };
}

async function rejection({ session, resource }) {
  const { items: reasons } = (await session.get('/v1/rejection-reasons')).body;
  const targets = [
    ...(resource.photo_verification ? [['photo', null, '核验照片']] : []),
    ...resource.changes_against_filed.map((change) => ['field', change.pointer, change.label]),
    ...resource.materials.map((item) => ['material', item.purpose, item.label]),
  ];
  const target = element('select', { name: 'target' }, targets.map(([, , label], index) => option(index, label)));
  const code = element('select', { name: 'code' });
  const reason = element('textarea', { name: 'reason', required: true, maxlength: 500 });
  const kind = () => targets[target.value]?.[0];
  const fill = () => code.replaceChildren(...reasons.filter((item) => item.target_kinds.includes(kind())).map((item) => option(item.code, item.title)));
  target.addEventListener('change', fill);
  fill();
  return {
    fields: [field('驳回对象', '/items/0/pointer', target), field('驳回原因', '/items/0/code', code), field('具体说明', '/items/0/reason', reason)],
    body: () => {
      const [target_kind, name] = targets[target.value];
      const where = { field: { pointer: name }, material: { material_code: name }, photo: {} }[target_kind];
      return { items: [{ target_kind, ...where, code: code.value, reason: reason.value.trim() }] };
    },
  };
}
