// Server-sent events read with fetch, because the browser's EventSource cannot send a token: take this one with you too.
import { Problem } from './api.js';

/** The server says something every 15 seconds; a connection that is silent for longer than this is dead. */
const SILENCE_MS = 40_000;
/** The longest pause between two tries, and the first one as long as the server has not said `retry`. */
const [LONGEST_PAUSE_MS, FIRST_PAUSE_MS] = [60_000, 1000];
/** Answers that will not change by asking again: not for this role, not there. A log-in that is over is told by `Session`. */
const FINAL = [401, 403, 404];

/** Cuts the text of a stream into messages `{id, event, data}`, whatever the pieces are in which it comes. */
export class Parser {
  #rest = '';
  #message = { data: [] };
  /** What the server wants to be waited before a new try, in milliseconds. */
  retry = null;

  /** The messages that this piece completes. A message that is cut off is never told: its id must not count as seen. */
  push(text) {
    // A CR at the end may be the first half of a CRLF.
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop();
    return lines.map((line) => this.#line(line)).filter(Boolean);
  }

  #line(line) {
    if (line === '') {
      const { id, event, data } = this.#message;
      this.#message = { data: [] };
      return data.length ? { id, event: event || 'message', data: data.join('\n') } : null;
    }
    // A line that begins with a colon is a comment: it has a field without a name.
    const [, name, value = ''] = line.match(/^([^:]*)(?:: ?(.*))?$/);
    if (name === 'data') this.#message.data.push(value);
    else if (name === 'event' || name === 'id') this.#message[name] = value;
    else if (name === 'retry' && /^\d+$/.test(value)) this.retry = Number(value);
    return null;
  }
}

/**
 * Follows a stream until `signal` is aborted, over breaks of the connection: each new one says with `Last-Event-ID` what came
 * last, so that nothing is missed or told twice. Calls `opened()` when a connection stands, `tell(message)` for each event and
 * `lost(reason, isFinal)` when there was no connection to be had. Returns when asking again is of no use.
 */
export async function follow(session, path, { signal, opened, tell, lost }) {
  let last = null;
  let failures = 0;
  let pause = FIRST_PAUSE_MS;
  while (!signal.aborted) {
    let wait = 0;
    let isOpen = false;
    try {
      const end = await connection(session, path, last, signal, (message, retry) => {
        last = message.id ?? last;
        pause = retry ?? pause;
        if (message.event === 'stream.opened') (isOpen = true), (failures = 0), opened();
        else if (message.event !== 'stream.end') tell(message);
      });
      if (signal.aborted) return;
      if (!isOpen) throw new Problem({ title: `no stream: ${end}` });
      // `token_expired` is one of these: the next request renews the token.
      console.info(`stream ended: ${end}`);
    } catch (problem) {
      if (signal.aborted) return;
      if (!(problem instanceof Problem)) throw problem;
      failures += 1;
      const isFinal = FINAL.includes(problem.status);
      lost(`${problem.status || 'no reply'} ${problem.message}`, isFinal);
      if (isFinal) return;
      // The server does not know the id any more. What was missed is found by reading once the stream is open.
      if (problem.status === 400) last = null;
      wait = problem.retryAfter * 1000 || 0;
    }
    // Twice as long after each failure, and at random, so that a server that comes back is not run over by all pages at once.
    const backoff = Math.min(LONGEST_PAUSE_MS, pause * 2 ** Math.max(0, failures - 1)) * (0.5 + Math.random() / 2);
    await sleep(Math.max(wait, backoff), signal);
  }
}

/** One connection, until it ends: why it did. A refusal is a `Problem`. */
async function connection(session, path, last, signal, take) {
  const silence = new AbortController();
  let timer;
  const heard = () => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(), SILENCE_MS);
  };
  heard();
  try {
    const headers = { Accept: 'text/event-stream', ...(last ? { 'Last-Event-ID': last } : {}) };
    // Without `no-store` a second tab of the same filing waits for the first one's reply, to take it from the cache.
    const options = { signal: AbortSignal.any([signal, silence.signal]), cache: 'no-store' };
    const reply = await session.reply('GET', path, undefined, headers, options);
    const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
    const parser = new Parser();
    let end = 'cut';
    for (;;) {
      // The connection may break at any byte. The next one goes on where this one was.
      const broken = (error) => ((end = `cut (${error.message})`), { done: true });
      const { done, value } = await reader.read().catch(broken);
      if (done) return silence.signal.aborted ? 'silent' : end;
      heard();
      for (const message of parser.push(value)) {
        // What was under way when the page turned to something else is not drawn there.
        if (signal.aborted) return end;
        if (message.event === 'stream.end') end = JSON.parse(message.data).reason;
        take(message, parser.retry);
      }
    }
  } catch (error) {
    if (silence.signal.aborted) return 'silent';
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** Waits, but not for somebody who has left. */
function sleep(milliseconds, signal) {
  return new Promise((done) => {
    if (signal.aborted) return done();
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener('abort', () => (clearTimeout(timer), done()), { once: true });
  });
}
