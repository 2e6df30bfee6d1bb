#!/usr/bin/env python3
"""Measures the release server beside PostgreSQL's own limit: see docs/performance.md for what the columns mean.

    benches/load/bench.py --sizes 10000,200000,1000000 --rounds 3 --seconds 4
    benches/load/bench.py --smoke          a few seconds, little data: proves that it runs, judges nothing by time

Needs wrk, pgbench and psql (./dev bench installs them) and a built server. Standard library only.
"""

import argparse
import base64
import functools
import hashlib
import hmac
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
CLIENTS = 8
# Kinds of src/demo/volume.rs.
ACCOUNT, USER, SESSION, WEBSITE, FILING, REVIEW = 1, 2, 3, 5, 7, 10
DEMO_PASSWORD = "demo-password-2026"
DEMO_REVIEWER = "0193a000-0000-7000-8000-000000011003"


def row_id(kind, number):
    return f"0193b000-0000-7000-80{kind:02x}-{number:012x}"


def say(text):
    print(text, flush=True)


# --- the server under test -----------------------------------------------------------------------------------------


class Server:
    """`beian serve` in embedded mode: PostgreSQL as its child, with fsync and synchronous_commit on."""

    def __init__(self, binary, data_dir, log_level="info"):
        self.data_dir = data_dir
        self.log = open(data_dir / "server.log", "ab")
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "DATA_DIR": str(data_dir),
            "LISTEN_ADDR": "127.0.0.1:0",
            "METRICS_ADDR": "127.0.0.1:0",
            # The jobs belong to another process in production too.
            "WORKER": "off",
            # The limit counts every request; only its height is out of reach here.
            "RATE_LIMIT_PER_SECOND": "1000000",
            "RUST_LOG": log_level,
        }
        for name in ("PG_BIN_DIR", "LD_LIBRARY_PATH"):
            if name in os.environ:
                self.environment[name] = os.environ[name]
        (data_dir / "address").unlink(missing_ok=True)
        self.process = subprocess.Popen([binary], env=self.environment, stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 120
        while not (data_dir / "address").exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"the server did not start, see {data_dir}/server.log")
            time.sleep(0.05)
        self.base = (data_dir / "address").read_text().strip()
        self.secrets = json.loads((data_dir / "secrets.json").read_text())
        self.sql = Sql(data_dir, self.secrets["database_password"])
        self.postmaster = int(self.sql.one("SELECT pg_read_file('postmaster.pid')").split("\n")[0])

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)

    def token(self, user, session):
        """An access token as src/auth/tokens.rs signs it."""

        def part(value):
            return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")

        now = int(time.time())
        claims = {"sub": user, "sid": session, "aud": "beian-api", "typ": "access", "iat": now, "exp": now + 36000}
        text = part({"alg": "HS256", "typ": "JWT", "kid": self.kid}) + b"." + part(claims)
        mac = hmac.new(base64.b64decode(self.secrets["jwt_key"]), text, hashlib.sha256).digest()
        return (text + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")).decode()

    @property
    def kid(self):
        if not hasattr(self, "_kid"):
            token = self.call("POST", "/v1/auth/login", None, {"login": "demo-reviewer", "password": DEMO_PASSWORD})
            head = token["access_token"].split(".")[0]
            self._kid = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"]
        return self._kid

    def applicant(self, number):
        return self.token(row_id(USER, number), row_id(SESSION, number))

    def staff(self, login):
        return self.call("POST", "/v1/auth/login", None, {"login": login, "password": DEMO_PASSWORD})["access_token"]

    def call(self, method, path, token=None, body=None, headers=None, form=None):
        request = urllib.request.Request(self.base + path, method=method)
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        if form is not None:
            data = urllib.parse.urlencode(form).encode()
        try:
            with urllib.request.urlopen(request, data) as reply:
                return json.loads(reply.read() or b"null")
        except urllib.error.HTTPError as error:
            sys.exit(f"{method} {path}: {error.code} {error.read().decode()}")

    def cpu(self):
        """CPU seconds so far: of the server, and of PostgreSQL with all its processes."""
        return cpu_of(self.process.pid), sum(cpu_of(pid) for pid in children(self.postmaster) + [self.postmaster])

    def memory(self):
        """Resident memory of the server in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


def cpu_of(pid):
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def children(pid):
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return found


class Sql:
    """psql and pgbench over the server's unix socket."""

    def __init__(self, data_dir, password):
        # Where src/embedded/postgres/home.rs puts them: elsewhere, when the server's user cannot reach the data folder.
        root = data_dir / "postgres"
        moved, record = root / "location", root / "socket-location"
        cluster = Path(moved.read_text().strip()) if moved.exists() else root / "cluster"
        self.socket = record.read_text().strip() if record.exists() else str(cluster / "socket")
        self.log = cluster / "postgres.log"
        self.environment = dict(os.environ, PGHOST=self.socket, PGPORT="5432", PGUSER="beian", PGPASSWORD=password,
                                PGDATABASE="beian")

    def run(self, text):
        done = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"], input=text, text=True,
                              capture_output=True, env=self.environment)
        if done.returncode != 0:
            sys.exit(f"psql: {done.stderr}\n{text}")
        return done.stdout

    def one(self, text):
        return self.run(text).strip()

    def rows(self, text):
        return [line.split("|") for line in self.run(text).splitlines() if line]


# --- the very statements of an operation ---------------------------------------------------------------------------


def recorded(server, request):
    """The statements that one request makes the server send, from PostgreSQL's log: [(text, [parameter, ...])]."""
    server.sql.run("ALTER SYSTEM SET log_min_duration_statement = 0; SELECT pg_reload_conf();")
    # A remembered session and prepared statements, as that of everybody who works.
    time.sleep(0.2)
    start = server.sql.log.stat().st_size
    server.call(*request[:4], headers=request[4] if len(request) > 4 else None)
    time.sleep(0.2)
    with open(server.sql.log, "rb") as log:
        log.seek(start)
        text = log.read().decode()
    server.sql.run("ALTER SYSTEM RESET log_min_duration_statement; SELECT pg_reload_conf();")
    statements, is_execution = [], False
    entries = re.split(r"(?m)^(?=\d{4}-\d\d-\d\d )", text)
    for entry in entries:
        # Parsing and binding are logged too, each with the parameters.
        found = re.search(r"LOG:  duration: [\d.]+ ms  (?:execute [^:]*|statement): (.*)", entry, re.S)
        if found:
            statements.append((found[1].strip(), []))
        if "LOG:  duration" in entry:
            is_execution = found is not None
        detail = re.search(r"DETAIL:  parameters: (.*)", entry, re.S)
        if detail and is_execution:
            statements[-1] = (statements[-1][0], parameters(detail[1].strip()))
    # The session's look-up belongs to one request in five seconds.
    return [(text, values) for text, values in statements if "pg_reload_conf" not in text and "FROM (\"sessions\"" not in text
            and 'FROM ((("sessions"' not in text and 'FROM (("sessions"' not in text]


def parameters(text):
    values = []
    for found in re.finditer(r"\$\d+ = (NULL|'((?:[^']|'')*)')", text):
        values.append(None if found[1] == "NULL" else found[2].replace("''", "'"))
    return values


UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def script(server, statements, number=None, fresh=None, other=None):
    """A pgbench script of recorded statements. With `number`, that of the applicant they were recorded for, ids of his
    rows become those of applicant :n, and every id that was made today becomes one for each :n. `fresh` numbers those ids: scripts
    that share it meet each other's rows. Its member "shared" are ids of today that stay. `other` is a second recording, of another
    applicant: a hash that differs between the two becomes another for each :n. (Everybody with one telephone would be found by
    the checks for shared contacts.)"""
    lines = []
    if number is not None:
        lines += ["\\set i :i + 1", f"\\set n :first + :client_id + {CLIENTS} * :i"]
    fresh = {} if fresh is None else fresh
    if other and [text for text, _ in other] != [text for text, _ in statements]:
        sys.exit("the same request sent other statements for another applicant")
    for at, (text, values) in enumerate(statements):
        if not values:
            lines.append(text + ";")
            continue
        types = server.sql.one(f"PREPARE recorded AS {text};\n"
                               "SELECT array_to_string(parameter_types, ';') FROM pg_prepared_statements WHERE name = 'recorded'")
        literals = [literal(value, kind, number, fresh) for value, kind in zip(values, types.split(";"))]
        for index, kind in enumerate(types.split(";")):
            if other and kind == "bytea" and values[index] != other[at][1][index]:
                # Sealed values begin with theirs (src/kernel/pii.rs).
                digest, rest = values[index][2:66], values[index][66:]
                key = fresh.setdefault(digest, len(fresh))
                literals[index] = f"(sha256(convert_to((:n::bigint)::text||'-{key}', 'UTF8'))||'\\x{rest}'::bytea)"
        lines.append(re.sub(r"\$(\d+)", lambda found: literals[int(found[1]) - 1], text) + ";")
    return "\n".join(lines) + "\n"


def literal(value, kind, number, fresh):
    if value is None:
        return f"NULL::{kind}"

    def quoted(text):
        # pgbench takes a colon before a word for a variable, even in a string.
        return "'" + text.replace("'", "''").replace(":", "'||chr(58)||'") + "'"

    if number is None:
        return f"({quoted(value)})::{kind}"
    parts, end = [], 0
    pattern = re.compile(UUID.pattern + r"|BA-\d{4}-\d+" + rf"|\bload-{number}\b")
    for found in pattern.finditer(value):
        text = found[0]
        if text.startswith("0193b000-") and int(text[-12:], 16) == number:
            expression = f"'{text[:24]}'||lpad(to_hex(:n::bigint), 12, '0')"
        elif text == f"load-{number}":
            expression = "'load-'||(:n::bigint)::text"
        elif text.startswith("0193") or text in fresh.get("shared", ()):
            # Demo and volume rows of others stay; a new id of today begins differently.
            continue
        else:
            key = fresh.setdefault(text, len(fresh))
            expression = f"md5((:n::bigint)::text||'-{key}')"
            expression = f"({expression})::uuid::text" if UUID.fullmatch(text) else f"'BB-'||{expression}"
        parts += [quoted(value[end:found.start()]), expression]
        end = found.end()
    parts.append(quoted(value[end:]))
    return f"({'||'.join(parts)})::{kind}"


def ceiling(server, scripts, seconds, first=0, each=0):
    """Transactions a second of pgbench: prepared, eight clients, the same unix socket. `each`: so many for each client, for
    scripts that can run only once for an applicant."""
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for index, text in enumerate(scripts):
            path = Path(folder) / f"{index}.sql"
            path.write_text(text)
            files += ["-f", str(path)]
        length = ["-t", str(each)] if each else ["-T", str(seconds)]
        command = ["pgbench", "-n", "-M", "prepared", "-c", str(CLIENTS), "-j", "2", *length, "-D", "i=-1",
                   "-D", f"first={first}", *files]
        done = subprocess.run(command, capture_output=True, text=True, env=server.sql.environment)
    tps = re.search(r"tps = ([\d.]+) \(without", done.stdout)
    if not tps or "aborted" in done.stderr:
        sys.exit(f"pgbench: {done.stdout}{done.stderr}")
    return float(tps[1])


# --- load ----------------------------------------------------------------------------------------------------------


def load(server, lines, seconds, connections=CLIENTS, per_second=0, again=True):
    """What wrk measured, with the CPU time that server and database took for each request."""
    if again:
        # Both threads of wrk need a line.
        lines = lines * 2
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as file:
        file.write("\n".join("\t".join(line) for line in lines) + "\n")
        file.flush()
        before = server.cpu()
        done = subprocess.run(["wrk", "-t", "2", "-c", str(connections), "-d", f"{seconds}s", "--timeout", "30s",
                               "-s", str(HERE / "operations.lua"), server.base, "--", file.name,
                               str(per_second / connections), "again" if again else "once"],
                              capture_output=True, text=True)
        after = server.cpu()
    found = re.search(r"RESULT (\{.*\})", done.stdout)
    if not found:
        sys.exit(f"wrk: {done.stdout}{done.stderr}")
    result = json.loads(found[1])
    work = max(1, result["requests"] - result["idle"])
    if result["idle"] > result["requests"] / 10:
        say(f"    (the requests ran out: {result['idle']} of {result['requests']} were idle)")
    result["rate"] = work / result["seconds"]
    result["server_us"] = (after[0] - before[0]) / work * 1e6
    result["database_us"] = (after[1] - before[1]) / work * 1e6
    return result


class Operation:
    """One line of the table. `lines(round)` are the requests, `scripts()` those of the ceiling. Where a script can run only once for
    an applicant, `numbers(round)` are the applicants; a script does the work of so many `requests`."""

    def __init__(self, name, lines, expected, scripts, again=True, numbers=None, requests=1):
        self.name, self.lines, self.expected, self.scripts = name, lines, expected, scripts
        self.again, self.numbers, self.requests = again, numbers, requests
        self.results, self.ceilings = [], []


def operations(server, applicants, regulars, spare):
    """The operations in the order in which a filing meets them."""
    busy = [n for n in range(1, applicants + 1) if n % 20 < 14]
    some = busy[:: max(1, len(busy) // 400)][:400]
    tokens = {n: server.applicant(n) for n in some}
    reviewer = server.staff("demo-reviewer")
    gets = [("GET", f"/v1/filings/{row_id(FILING, 3 * n)}", tokens[n], "") for n in some]
    lists = [("GET", "/v1/filings?limit=20", server.applicant(n), "") for n in range(1, regulars + 1)]
    shown = len(server.call("GET", lists[0][1], lists[0][2])["items"])
    if shown != 20:
        sys.exit(f"the list of a regular customer has {shown} rows")
    queue = "/v1/reviews?limit=20"
    pages = walk(server, queue, reviewer, 100)
    deep = f"the queue's page {len(pages)}"

    def read(lines):
        return lambda: [script(server, recorded(server, (m, path, token, None))) for m, path, token, _ in lines[:: max(1, len(lines) // 30)][:30]]

    each = spare // 2 // 4
    spares = lambda group: range(applicants + 1 + group * each, applicants + 1 + (group + 1) * each)

    def start(n):
        return "POST", "/v1/filings", server.applicant(n), json.dumps({"kind": "website_change", "website_id": row_id(WEBSITE, n)})

    def create(turn):
        return [start(n) for n in spares(turn)]

    def of(turn):
        numbers = spares(turn)
        return f"account_id BETWEEN '{row_id(ACCOUNT, numbers.start)}' AND '{row_id(ACCOUNT, numbers.stop - 1)}'"

    def made(turn):
        return [(identity, int(account[-12:], 16)) for identity, account in server.sql.rows(
            f"SELECT id, account_id FROM filings WHERE {of(turn)} ORDER BY account_id")]

    def edit(identity, n):
        return "PATCH", f"/v1/filings/{identity}", server.applicant(n), json.dumps({"website": {"remark": "压测：只改备注"}})

    def patch(turn):
        return [edit(*draft) for draft in made(turn)]

    terms = server.call("GET", "/v1/terms/current", reviewer)

    def hand_in(identity, n):
        body = {"terms_version": terms["service_terms"]["version"],
                "personal_information_consent_version": terms["personal_information_consent"]["version"]}
        return "POST", f"/v1/filings/{identity}/submit", server.applicant(n), json.dumps(body)

    def submit(turn):
        return [hand_in(*draft) for draft in made(turn)]

    def declare(identity, n):
        body = {"purpose": "identity_card_front", "file_name": "front.jpg", "content_type": "image/jpeg", "size_bytes": 123456,
                "sha256": "ab" * 32}
        return "POST", f"/v1/filings/{identity}/attachments", server.applicant(n), json.dumps(body)

    def attach(turn):
        return [declare(*draft) for draft in made(turn)]

    def approve(turn):
        # A task is claimed well before it is decided, as several reviewers do at once.
        at = applicants // 4 * turn
        tasks = [row_id(REVIEW, 3 * n) for n in range(at + 1, at + applicants // 4) if n % 20 < 14]
        # A small database has too few: those follow that were submitted in this round.
        tasks += [task for task, in server.sql.rows(
            f"SELECT review_tasks.id FROM review_tasks JOIN filings ON filings.id = filing_id WHERE review_tasks.state = 'open' AND filings.{of(turn)}")]
        checks = server.call("GET", f"/v1/reviews/{tasks[0]}", reviewer)["checklist"]
        body = json.dumps({"checklist": [check["code"] for check in checks]})
        lines = []
        for index, task in enumerate(tasks):
            lines.append(("POST", f"/v1/reviews/{task}/claim", reviewer, ""))
            if index >= 32:
                lines.append(("POST", f"/v1/reviews/{tasks[index - 32]}/approve", reviewer, body))
        return lines

    def log_in(n):
        return json.dumps({"login": f"load-{n}", "password": DEMO_PASSWORD})

    login = [("POST", "/v1/auth/login", "", log_in(n)) for n in some]

    def walked():
        """An applicant and another walk from the draft to the approval: the scripts of all steps, sharing the ids that they meet."""
        pair, found = (applicants + spare, applicants + spare - 1), {}
        fresh = {"shared": {identity for identity, in server.sql.rows("SELECT id FROM terms")}}

        def step(name, requests):
            one, other = ([statement for request in requests(n) for statement in recorded(server, request)] for n in pair)
            found[name] = [script(server, one, pair[0], fresh, other)]

        def of_line(line, headers=None):
            method, path, token, body = line
            return [(method, path, token, json.loads(body) if body else None, headers)]

        def id_of(text):
            return {n: server.sql.one(text.format(row_id(ACCOUNT, n))) for n in pair}

        step("create", lambda n: of_line(start(n)))
        filing = id_of("SELECT id FROM filings WHERE account_id = '{}'")
        step("edit", lambda n: of_line(edit(filing[n], n), {"If-Match": "*"}))
        step("attach", lambda n: of_line(declare(filing[n], n)))
        step("submit", lambda n: of_line(hand_in(filing[n], n), {"If-Match": "*"}))
        task = id_of("SELECT review_tasks.id FROM review_tasks JOIN filings ON filings.id = filing_id WHERE account_id = '{}'")
        checks = [check["code"] for check in server.call("GET", f"/v1/reviews/{task[pair[0]]}", reviewer)["checklist"]]
        step("approve", lambda n: [("POST", f"/v1/reviews/{task[n]}/claim", reviewer, None),
                                   ("POST", f"/v1/reviews/{task[n]}/approve", reviewer, {"checklist": checks})])
        return found

    walk_scripts = functools.cache(walked)

    def step_of(name):
        return lambda: walk_scripts()[name]

    def login_script():
        one, other = (recorded(server, ("POST", "/v1/auth/login", None, json.loads(log_in(n)))) for n in some[-2:])
        return [script(server, one, some[-2], other=other)]

    def drafted(count):
        """The first applicants of a round's share, for whom each step of the walk follows the one before."""
        share = spare // 8
        return lambda turn: (applicants + 1 + spare // 2 + turn * share, min(share, count))

    return [
        Operation("get a filing", lambda turn: gets, 200, read(gets)),
        Operation("list 20 of an applicant", lambda turn: lists, 200, read(lists)),
        Operation("the queue's first page", lambda turn: [("GET", queue, reviewer, "")], 200, read([("GET", queue, reviewer, "")])),
        Operation(deep, lambda turn: [("GET", pages[-1], reviewer, "")], 200, read([("GET", pages[-1], reviewer, "")])),
        Operation("create a draft", create, 201, step_of("create"), again=False, numbers=drafted(6000)),
        Operation("edit a draft", patch, 200, step_of("edit"), numbers=drafted(4000)),
        Operation("declare an attachment", attach, 201, step_of("attach"), numbers=drafted(4000)),
        Operation("submit", submit, 200, step_of("submit"), again=False, numbers=drafted(2000)),
        Operation("claim, then approve", approve, 200, step_of("approve"), again=False, numbers=drafted(2000), requests=2),
        Operation("log in", lambda turn: login, 200, login_script, numbers=lambda turn: (1 + turn * (applicants // 4), min(applicants // 4, 4000))),
    ]


def measure(server, rounds, seconds, applicants, regulars, spare):
    """Each operation and its ceiling in turn, round after round."""
    table = operations(server, applicants, regulars, spare)
    scripts = {operation.name: operation.scripts() for operation in table}
    for turn in range(rounds):
        for operation in table:
            result = load(server, operation.lines(turn), seconds, again=operation.again)
            wrong = {code: count for code, count in result["statuses"].items() if int(code) != operation.expected
                     and not (int(code) == 200 and result["idle"])}
            if wrong or result["errors"]:
                say(f"    {operation.name}: unexpected answers {wrong}, {result['errors']} errors")
            operation.results.append(result)
            first, count = operation.numbers(turn) if operation.numbers else (0, 0)
            top = ceiling(server, scripts[operation.name], seconds, first, count // CLIENTS)
            operation.ceilings.append(top * operation.requests)
        first, count = next(operation for operation in table if operation.requests > 1).numbers(turn)
        compare_walks(server, first, count // CLIENTS * CLIENTS, applicants + spare)
    return table


def compare_walks(server, first, count, recorded_for):
    """The filings that pgbench drove must stand where the recorded one stands: a script that changed nothing would be no ceiling."""

    def standing(low, high):
        return server.sql.rows(f"""
            SELECT count(*), status, version, revision_no, events, attachments, tasks FROM (
                SELECT status, version, revision_no,
                    (SELECT count(*) FROM filing_events WHERE filing_id = filings.id) AS events,
                    (SELECT count(*) FROM attachments WHERE filing_id = filings.id) AS attachments,
                    (SELECT string_agg(stage || ' ' || state, ',') FROM review_tasks WHERE filing_id = filings.id) AS tasks
                FROM filings WHERE account_id BETWEEN '{row_id(ACCOUNT, low)}' AND '{row_id(ACCOUNT, high)}') AS walked
            GROUP BY 2, 3, 4, 5, 6, 7""")

    expected, found = standing(recorded_for, recorded_for), standing(first, first + count - 1)
    if found != [[str(count), *expected[0][1:]]]:
        sys.exit(f"pgbench left {found} where the server left {expected}")


def spread(values):
    middle = statistics.median(values)
    return f"±{(max(values) - min(values)) / 2 / middle * 100:.0f} %" if middle else ""


def show(table, server):
    say("| operation | requests/s | p50 | p99 | server CPU | PostgreSQL CPU | of pgbench |")
    say("|---|---|---|---|---|---|---|")
    for operation in table:
        def middle(name):
            return statistics.median(result[name] for result in operation.results)

        pairs = [result["rate"] / top for result, top in zip(operation.results, operation.ceilings)]
        ratio = f"{statistics.median(pairs):.2f} ({min(pairs):.2f}–{max(pairs):.2f}) of {statistics.median(operation.ceilings):.0f}/s"
        say(f"| {operation.name} | {middle('rate'):.0f} {spread([r['rate'] for r in operation.results])} "
            f"| {middle('p50_us') / 1000:.2f} ms | {middle('p99_us') / 1000:.2f} ms | {middle('server_us'):.0f} µs "
            # A process of PostgreSQL that ends takes its count with it.
            f"| {f'{database:.0f} µs' if (database := middle('database_us')) > 0 else 'n/a'} | {ratio} |")
    say(f"\nresident memory of the server: {server.memory():.0f} MiB")


def walk(server, address, token, count):
    """Addresses of up to so many pages of a list."""
    pages = [address]
    while len(pages) < count:
        cursor = server.call("GET", pages[-1], token)["next_cursor"]
        if cursor is None:
            break
        pages.append(f"{address}&cursor={cursor}")
    return pages


def growth(binary, work, sizes, rounds, seconds):
    """The same reads of a small and a large database in turn: a machine that gets slower meanwhile counts for both."""
    made = {size: prepare(binary, work, size, 100) for size in sizes}
    servers = {size: Server(binary, data_dir) for size, (data_dir, _, _) in made.items()}
    try:
        reads = {}
        for size, server in servers.items():
            _, applicants, regulars = made[size]
            reviewer, admin = server.staff("demo-reviewer"), server.staff("demo-admin")
            busy = [n for n in range(1, applicants + 1) if n % 20 < 14]
            some = busy[:: max(1, len(busy) // 400)][:400]
            queue = walk(server, "/v1/reviews?limit=20", reviewer, 100)
            everything = walk(server, "/v1/filings?limit=20", admin, 400)
            reads[size] = {
                "get a filing": [("GET", f"/v1/filings/{row_id(FILING, 3 * n)}", server.applicant(n), "") for n in some],
                "list 20 of an applicant": [("GET", "/v1/filings?limit=20", server.applicant(n), "") for n in range(1, regulars + 1)],
                "the queue's first page": [("GET", queue[0], reviewer, "")],
                "the queue's last page of a hundred": [("GET", queue[-1], reviewer, "")],
                "all filings, first page": [("GET", everything[0], admin, "")],
                "all filings, last page of 400": [("GET", everything[-1], admin, "")],
            }
        small, large = sizes
        say(f"\n| p50 | {small} filings | {large} filings | ratio |\n|---|---|---|---|")
        for name in reads[small]:
            times = {size: [] for size in sizes}
            for _ in range(rounds):
                for size in sizes:
                    times[size].append(load(servers[size], reads[size][name], seconds)["p50_us"] / 1000)
            middle = {size: statistics.median(times[size]) for size in sizes}
            say(f"| {name} | {middle[small]:.2f} ms | {middle[large]:.2f} ms | {middle[large] / middle[small]:.2f} |")
    finally:
        for server in servers.values():
            server.stop()
    for data_dir, _, _ in made.values():
        remove(data_dir)


def endurance(server, applicants, regulars, requests):
    """A million requests, half of them of each kind: memory at the start, at the half and at the end."""
    some = range(1, min(applicants, 400) + 1)
    lines = [("GET", f"/v1/filings/{row_id(FILING, 3 * n)}", server.applicant(n), "") for n in some if n % 20 < 14]
    lines += [("GET", "/v1/filings?limit=20", server.applicant(n), "") for n in range(1, regulars + 1)] * (len(lines) // regulars)
    done, marks = 0, [server.memory()]
    while done < requests:
        done += load(server, lines, 10)["requests"]
        if len(marks) == 1 and done >= requests / 2:
            marks.append(server.memory())
    marks.append(server.memory())
    say(f"resident memory over {done} requests: " + ", ".join(f"{mark:.1f}" for mark in marks) + " MiB (start, half, end)")


def oha(server, address, token, seconds, connections, per_second=0, bodies=None, is_file=False):
    """What oha measured at a fixed rate, or as fast as it gets: milliseconds of the answers with 2xx, from the moment at which
    each request was due, and how many answers of each status there were."""
    command = ["oha", "--no-tui", "--output-format", "json", "--stats-success-breakdown", "--redirect", "0",
               "-z", f"{seconds}s", "-w", "-c", str(connections), "-t", "60s", "-H", f"Authorization: Bearer {token}"]
    if per_second:
        command += ["-q", str(per_second), "--latency-correction"]
    if bodies:
        command += ["-m", "POST", "-T", "application/json", "-Z", bodies]
    command += ["--urls-from-file", address] if is_file else [address]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"oha: {done.stdout}{done.stderr}")
    result = json.loads(done.stdout)
    statuses, times = result["statusCodeDistribution"], result["latencyPercentilesSuccessful"]
    return {"rate": sum(statuses.values()) / result["summary"]["total"], "statuses": statuses, "errors": result["errorDistribution"],
            "p50": times["p50"] * 1000, "p99": times["p99"] * 1000}


def steady(server, applicants, spare, folder):
    """At a fixed rate, and with more than there is room for."""
    # oha sends one token: the partner's, who acts for all these applicants.
    some, at = [n for n in range(1, min(applicants, 400) + 1) if n % 20 < 14], applicants + 1 + spare // 2 - spare // 8
    partner = server.sql.one("SELECT partner_id FROM api_clients JOIN users ON users.api_client_id = api_clients.id LIMIT 1")
    server.sql.run(f"""
        UPDATE accounts SET partner_id = '{partner}' WHERE id BETWEEN '{row_id(ACCOUNT, 1)}' AND '{row_id(ACCOUNT, some[-1])}'
            OR id BETWEEN '{row_id(ACCOUNT, at)}' AND '{row_id(ACCOUNT, at + spare // 8)}';
        UPDATE filings SET partner_id = '{partner}' WHERE account_id BETWEEN '{row_id(ACCOUNT, 1)}' AND '{row_id(ACCOUNT, some[-1])}';""")
    token = server.call("POST", "/oauth/token", None, form={"grant_type": "client_credentials", "client_id": "demo-partner",
                                                            "client_secret": "demo-partner-secret-2026"})["access_token"]
    addresses, bodies = folder / "addresses", folder / "bodies"
    addresses.write_text("".join(f"{server.base}/v1/filings/{row_id(FILING, 3 * n)}\n" for n in some))
    bodies.write_text("".join(json.dumps({"kind": "website_change", "website_id": row_id(WEBSITE, n)}) + "\n"
                              for n in range(at, at + spare // 8)))

    def tell(name, result):
        say(f"{name}: {result['rate']:.0f}/s answered, p50 {result['p50']:.2f} ms and p99 {result['p99']:.2f} ms of those with 2xx, "
            f"{result['statuses']}{result['errors'] or ''}")

    get = dict(address=str(addresses), is_file=True, token=token)
    tell("gets at 1000/s", oha(server, seconds=10, connections=32, per_second=1000, **get))
    # Applicants are drawn by lot; one who is drawn twice has a live filing already: 409.
    tell("creates at 200/s", oha(server, f"{server.base}/v1/filings", token, 10, 32, per_second=200, bodies=str(bodies)))
    before = oha(server, seconds=4, connections=CLIENTS, **get)
    tell("4000 connections at once", oha(server, seconds=10, connections=4000, **get))
    after = oha(server, seconds=4, connections=CLIENTS, **get)
    say(f"right after it {after['rate'] / before['rate']:.2f} of the rate before it")


def start_time(server, binary):
    """How long a second server takes on the running database, from its start until it answers."""
    times = []
    secrets = server.secrets
    socket = server.sql.socket.replace("/", "%2F")
    with tempfile.TemporaryDirectory() as folder:
        environment = dict(
            PATH=os.environ["PATH"], DATA_DIR=folder, LISTEN_ADDR="127.0.0.1:0", PUBLIC_URL="http://127.0.0.1",
            DATABASE_URL=f"postgresql://beian:{secrets['database_password']}@{socket}:5432/beian",
            S3_BUCKET="beian", S3_ENDPOINT="http://127.0.0.1:9", S3_ACCESS_KEY_ID="a", S3_SECRET_ACCESS_KEY="b",
            JWT_KEYS=f"k1:{secrets['jwt_key']}", PII_KEYS=f"1:{secrets['pii_key']}", PII_HASH_KEY=secrets["pii_hash_key"],
            SMTP_URL="smtp://127.0.0.1:9", MAIL_FROM="a@example.com", RUST_LOG="info")
        for _ in range(5):
            address = Path(folder) / "address"
            address.unlink(missing_ok=True)
            begin = time.monotonic()
            process = subprocess.Popen([binary], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            while not (address.exists() and address.read_text().strip()):
                if process.poll() is not None:
                    sys.exit(process.stdout.read().decode())
                time.sleep(0.002)
            urllib.request.urlopen(address.read_text().strip() + "/livez").read()
            times.append(time.monotonic() - begin)
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)
    say(f"start against an existing database: {statistics.median(times):.2f} s")


def remove(data_dir):
    """The data folder, and the database's where it lies elsewhere."""
    moved = data_dir / "postgres" / "location"
    if moved.exists():
        shutil.rmtree(moved.read_text().strip(), ignore_errors=True)
    shutil.rmtree(data_dir, ignore_errors=True)


def prepare(binary, work, filings, spare):
    data_dir = work / f"{filings}"
    remove(data_dir)
    data_dir.mkdir(parents=True)
    begin = time.monotonic()
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "PG_BIN_DIR") if name in os.environ}
    environment.update(DATA_DIR=str(data_dir), RUST_LOG="warn")
    done = subprocess.run([binary, "demo", "fill", "--filings", str(filings), "--spare", str(spare)], env=environment,
                          capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"filling failed: {done.stdout}{done.stderr}")
    say(f"\n## {filings} filings\n\n{done.stdout.strip()}, loaded in {time.monotonic() - begin:.0f} s")
    made = re.search(r"(\d+) filings of (\d+) applicants, (\d+) of them regular customers", done.stdout)
    return data_dir, int(made[2]), int(made[3])


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--binary", default=os.environ.get("BEIAN", "target/release/beian"))
    options.add_argument("--work", type=Path, default=Path("target/load"))
    options.add_argument("--sizes", default="10000,200000,1000000")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--seconds", type=int, default=4)
    options.add_argument("--endurance", type=int, default=0, metavar="REQUESTS", help="also watch the memory over so many requests")
    options.add_argument("--growth", metavar="SMALL,LARGE", help="only compare the reads of two sizes, in turn")
    options.add_argument("--steady", action="store_true", help="also fixed rates, overload and the time of a start")
    options.add_argument("--smoke", action="store_true")
    chosen = options.parse_args()
    if chosen.smoke:
        chosen.sizes, chosen.rounds, chosen.seconds = "600", 1, 1
    for tool in ("wrk", "pgbench", "psql") + (("oha",) if chosen.steady else ()):
        if not shutil.which(tool):
            sys.exit(f"{tool} is missing; ./dev bench installs it")
    if chosen.growth:
        sizes = tuple(map(int, chosen.growth.split(",")))
        growth(chosen.binary, chosen.work.resolve(), sizes, chosen.rounds, chosen.seconds)
        return
    for filings in map(int, chosen.sizes.split(",")):
        spare = 2000 if chosen.smoke else 48000
        data_dir, applicants, regulars = prepare(chosen.binary, chosen.work.resolve(), filings, spare)
        server = Server(chosen.binary, data_dir)
        try:
            say("")
            table = measure(server, chosen.rounds, chosen.seconds, applicants, regulars, spare)
            show(table, server)
            if chosen.steady:
                start_time(server, chosen.binary)
                steady(server, applicants, spare, data_dir)
            if chosen.endurance:
                endurance(server, applicants, regulars, chosen.endurance)
            if chosen.smoke:
                unanswered = [operation.name for operation in table
                              if not any(result["statuses"].get(str(operation.expected)) for result in operation.results)]
                if unanswered:
                    sys.exit(f"no answer as expected: {', '.join(unanswered)}")
        finally:
            server.stop()
        remove(data_dir)


if __name__ == "__main__":
    main()
