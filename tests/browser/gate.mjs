// A way to the server that can break, as the net between a page and a server does.
import { createServer, request as ask } from 'node:http';

/** Passes everything on to `target`. What it does to streams is said by its methods; they hold for all streams. */
export async function startGate(target) {
  const gate = new Gate(target);
  await new Promise((done) => gate.server.listen(0, '127.0.0.1', done));
  gate.url = `http://127.0.0.1:${gate.server.address().port}`;
  return gate;
}

class Gate {
  /** Streams that are open. */
  streams = new Set();
  /** What the next stream's request is sent with instead of its own token. */
  token = null;
  #waiting = null;
  #isMute = false;
  #isHalving = false;

  constructor(target) {
    this.target = new URL(target);
    this.server = createServer((request, reply) => this.#pass(request, reply));
  }

  /** Streams that are asked for wait, until `release`. */
  hold() {
    this.#waiting = [];
  }

  /** Whether one waits. */
  get holds() {
    return Boolean(this.#waiting?.length);
  }

  release() {
    const waiting = this.#waiting ?? [];
    this.#waiting = null;
    waiting.forEach((go) => go());
  }

  /** Breaks the connections of all streams. */
  cut() {
    for (const reply of this.streams) reply.destroy();
  }

  /** Keeps the streams that are open now, and lets nothing through any more. */
  mute() {
    this.#isMute = true;
  }

  /** Passes the first half of the next event on and then breaks the connection. */
  halveNext() {
    this.#isHalving = true;
  }

  stop() {
    this.server.closeAllConnections();
    return new Promise((done) => this.server.close(done));
  }

  async #pass(request, reply) {
    const isStream = request.method === 'GET' && request.url.endsWith('/stream');
    if (isStream && this.#waiting) await new Promise((go) => this.#waiting.push(go));
    const headers = { ...request.headers, host: this.target.host };
    if (isStream && this.token) {
      headers.authorization = `Bearer ${this.token}`;
      this.token = null;
    }
    const { hostname, port } = this.target;
    const onward = ask({ hostname, port, path: request.url, method: request.method, headers }, (answer) => {
      reply.writeHead(answer.statusCode, answer.headers);
      if (isStream && answer.statusCode === 200) this.#stream(answer, reply);
      else answer.pipe(reply);
    });
    onward.on('error', () => reply.destroy());
    reply.on('close', () => onward.destroy());
    request.pipe(onward);
  }

  #stream(answer, reply) {
    this.streams.add(reply);
    // A new connection works, whatever became of the last.
    this.#isMute = false;
    reply.on('close', () => this.streams.delete(reply));
    answer.on('error', () => reply.destroy());
    answer.on('end', () => reply.end());
    answer.on('data', (piece) => {
      if (this.#isMute) return;
      const isEvent = !piece.includes('stream.opened') && piece.includes('event: ');
      if (!this.#isHalving || !isEvent) return reply.write(piece);
      this.#isHalving = false;
      // The id arrives whole, the rest does not. Data that come together with the break may get lost in the browser.
      reply.write(piece.subarray(0, piece.length / 2));
      setTimeout(() => reply.destroy(), 500);
    });
  }
}
