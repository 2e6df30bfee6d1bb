// A server of its own with demo data, and small static servers for pages from other origins.
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { extname, join, normalize } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const running = new Set();
// Whatever ends this program ends its servers.
process.on('exit', () => running.forEach((child) => child.kill('SIGINT')));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));

/** Starts the program in embedded mode in an empty folder, on a free port. */
export async function startBeian(env = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'beian-browser-'));
  // Nothing of the caller's settings: embedded mode is what is left when nothing is configured.
  const { PATH, HOME, LANG, PG_BIN_DIR, LD_LIBRARY_PATH } = process.env;
  const settings = Object.entries({ PATH, HOME, LANG, PG_BIN_DIR, LD_LIBRARY_PATH }).filter(([, value]) => value);
  const child = spawn(process.env.BEIAN, [], {
    cwd: folder,
    env: { ...Object.fromEntries(settings), DATA_DIR: folder, LISTEN_ADDR: '127.0.0.1:0', LOG_LEVEL: 'warn', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  let log = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (log += text));
  const ended = new Promise((done) => child.once('exit', () => done(running.delete(child))));
  const stop = async () => {
    child.kill('SIGINT');
    await Promise.race([ended, sleep(30_000)]);
    if (child.exitCode === null) child.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  };
  // Three minutes: on a machine that builds something beside, making the database alone takes more than one.
  for (let tries = 0; tries < 1800; tries++) {
    if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}:\n${log}`);
    const url = await readFile(join(folder, 'address'), 'utf8').catch(() => '');
    if (url && (await fetch(`${url.trim()}/readyz`).catch(() => null))?.ok) return { url: url.trim(), stop, log: () => log };
    await sleep(100);
  }
  await stop();
  throw new Error(`the server did not start:\n${log}`);
}

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.jpg': 'image/jpeg', '.svg': 'image/svg+xml' };

/** Serves the files of a folder on a free port of 127.0.0.1; another port is another origin. */
export async function serveFolder(folder) {
  const server = createServer(async (request, reply) => {
    const path = normalize(decodeURIComponent(new URL(request.url, 'http://x').pathname));
    const file = join(folder, path.endsWith('/') ? `${path}index.html` : path);
    try {
      const content = await readFile(file);
      reply.writeHead(200, { 'content-type': `${TYPES[extname(file)] ?? 'application/octet-stream'}; charset=utf-8` });
      reply.end(content);
    } catch {
      reply.writeHead(404).end();
    }
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const url = `http://127.0.0.1:${server.address().port}`;
  return { url, stop: () => new Promise((done) => (server.closeAllConnections(), server.close(done))) };
}
