// The API as a page from another origin uses it: tokens in memory and sessionStorage, problems as exceptions, ETags, uploads.

/** A refusal: application/problem+json, or what the browser says when there was no readable reply. */
export class Problem extends Error {
  constructor(body, reply) {
    super(body.detail || body.title);
    this.body = body;
    this.status = reply?.status ?? 0;
    /** One of {pointer, parameter, header}, with `detail`, for each fault. */
    this.errors = body.errors ?? [];
    this.retryAfter = Number(reply?.headers.get('Retry-After') ?? 0);
  }
}

/** One person who is logged in at one server. */
export class Session {
  constructor(base, login, tokens) {
    Object.assign(this, { base, login, tokens });
  }

  static async open(base, login, password) {
    const session = new Session(base.replace(/\/+$/, ''), login, null);
    const reply = await session.send('POST', '/v1/auth/login', { login, password });
    session.tokens = reply.body;
    session.me = (await session.get('/v1/me')).body;
    return session;
  }

  get(path, headers) {
    return this.send('GET', path, undefined, headers);
  }

  /** One request; `{status, body, etag, location}`. */
  async send(method, path, body, headers) {
    const reply = await this.reply(method, path, body, headers);
    // A 304 describes a body and has none.
    const content = isJson(reply) && reply.status !== 304 ? await reply.json() : null;
    return { status: reply.status, body: content, etag: reply.headers.get('ETag'), location: reply.headers.get('Location') };
  }

  /** One request, with its reply unread. Without a connection or against CORS there is only "no reply". */
  async reply(method, path, body, headers = {}, options = {}) {
    const { tokens } = this;
    const all = { 'Accept-Language': 'zh-CN', ...headers };
    if (tokens) all.Authorization = `Bearer ${tokens.access_token}`;
    if (body !== undefined) all['Content-Type'] = 'application/json';
    const reply = await reach(this.base, path, { ...options, method, headers: all, body: body === undefined ? undefined : JSON.stringify(body) });
    if (reply.status < 400) return reply;
    if (reply.status === 401 && tokens?.refresh_token && !options.isRepeat) {
      // A request beside this one may have renewed them already.
      if (this.tokens === tokens) await this.refresh();
      return this.reply(method, path, body, headers, { ...options, isRepeat: true });
    }
    throw new Problem(isJson(reply) ? await reply.json() : { title: `${reply.status}` }, reply);
  }

  /** At most one refresh at a time: a refresh token is good for one use. */
  refresh() {
    this.refreshing ??= this.exchange().finally(() => (this.refreshing = null));
    return this.refreshing;
  }

  async exchange() {
    const reply = await reach(this.base, '/v1/auth/refresh', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'Accept-Language': 'zh-CN' },
      body: JSON.stringify({ refresh_token: this.tokens.refresh_token }),
    });
    // Without a connection, or while the server is busy, the tokens are as good as before.
    if (reply.status === 400 || reply.status === 401) this.tokens = null;
    if (!reply.ok) throw new Problem(isJson(reply) ? await reply.json() : { title: `${reply.status}` }, reply);
    this.tokens = await reply.json();
    this.onTokens?.();
  }
}

const isJson = (reply) => /json/.test(reply.headers.get('Content-Type') ?? '');

/** fetch, whose only word for "no connection" and "not for this origin" is an exception. */
async function reach(base, path, options) {
  try {
    return await fetch(base + path, options);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Problem({ title: `无法访问 ${base}：没有连接，或该服务未允许本页面的来源（CORS_ORIGINS）` });
  }
}

/** Name, type, length and SHA-256 of a file, as the API wants it declared. */
export async function declaration(file) {
  const digest = await crypto.subtle.digest('SHA-256', await file.arrayBuffer());
  const sha256 = [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return { file_name: file.name, content_type: file.type, size_bytes: file.size, sha256 };
}

/** Sends a file straight to the store with the signed headers; `onProgress` gets 0 to 1. fetch cannot report that. */
export function upload(target, file, onProgress) {
  return new Promise((done, fail) => {
    const request = new XMLHttpRequest();
    request.open(target.method, target.url);
    for (const [name, value] of Object.entries(target.headers)) {
      // Browsers set these themselves.
      if (!/^(content-length|host)$/i.test(name)) request.setRequestHeader(name, value);
    }
    request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    request.onload = () =>
      request.status < 300 ? (onProgress(1), done()) : fail(new Problem({ title: `存储拒绝了文件（${request.status}）` }));
    request.onerror = () => fail(new Problem({ title: '无法访问存储：没有连接，或存储未允许本页面的来源' }));
    request.send(file);
  });
}
