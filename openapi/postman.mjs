// Makes a Postman collection (format 2.1, which Bruno and Insomnia import too) from the OpenAPI document.
// Usage: node openapi/postman.mjs DOCUMENT COLLECTION. tests/clients/lint compares the committed one; --write renews it.
import { readFileSync, writeFileSync } from "node:fs";

const [documentPath, collectionPath] = process.argv.slice(2);
const document = JSON.parse(readFileSync(documentPath, "utf8"));

const resolve = (schema) =>
  schema?.$ref ? schema.$ref.slice(2).split("/").reduce((node, name) => node[name], document) : schema;
const script = (listen, ...exec) => ({ listen, script: { type: "text/javascript", exec } });
const text = (value) => (value === undefined ? "" : String(value));

/** Requests whose secrets are variables, because no example can hold them; which of them keep the tokens of their reply for the others. */
const SESSION = {
  login: { body: { login: "{{login}}", password: "{{password}}" }, keepsTokens: true },
  refreshSession: { body: { refresh_token: "{{refresh_token}}" }, keepsTokens: true },
  logout: { body: { refresh_token: "{{refresh_token}}" } },
};

/** The example of a body: what Swagger UI would send. */
function body(content) {
  const [type, media] = Object.entries(content)[0];
  const schema = resolve(media.schema);
  const example = media.example ?? schema.example ?? schema.examples?.[0];
  if (type === "application/x-www-form-urlencoded") {
    return { mode: "urlencoded", urlencoded: Object.entries(example ?? {}).map(([key, value]) => ({ key, value: text(value) })) };
  }
  if (type.includes("json")) {
    return { mode: "raw", raw: JSON.stringify(example ?? {}, null, 2), options: { raw: { language: "json" } } };
  }
  return { mode: "file", file: {} };
}

function request(path, method, operation) {
  const parameters = operation.parameters ?? [];
  const of = (place) => parameters.filter((parameter) => parameter.in === place);
  const session = SESSION[operation.operationId];
  const query = of("query").map(({ name, example, description, required }) => ({
    key: name, value: text(example), description, disabled: !required,
  }));
  const raw = "{{base_url}}" + path.replace(/\{(\w+)\}/g, ":$1");
  const item = {
    name: operation.summary,
    request: {
      method: method.toUpperCase(),
      header: of("header").map(({ name, example, description, required }) => ({
        key: name, value: name === "Idempotency-Key" ? "{{$guid}}" : text(example), description, disabled: !required,
      })),
      url: {
        raw,
        host: ["{{base_url}}"],
        path: path.slice(1).split("/").map((part) => part.replace(/^\{(\w+)\}$/, ":$1")),
        query,
        variable: of("path").map(({ name, example, description }) => ({ key: name, value: text(example), description })),
      },
      description: operation.description,
    },
    response: [],
  };
  if (operation.security?.length === 0) item.request.auth = { type: "noauth" };
  if (operation.requestBody) {
    const content = operation.requestBody.content;
    item.request.body = body(content);
    item.request.header.push({ key: "Content-Type", value: Object.keys(content)[0] });
  }
  if (session) item.request.body.raw = JSON.stringify(session.body, null, 2);
  if (session?.keepsTokens) {
    // A refusal must not wipe out the tokens of before.
    item.event = [
      script("test",
        `pm.test(${JSON.stringify(operation.summary)}, () => pm.response.to.have.status(200));`,
        "if (pm.response.code === 200) {",
        "  pm.collectionVariables.set('access_token', pm.response.json().access_token);",
        "  pm.collectionVariables.set('refresh_token', pm.response.json().refresh_token);",
        "}"),
    ];
  }
  return item;
}

const folders = new Map(document.tags.map(({ name, description }) => [name, { name, description, item: [] }]));
// Whoever runs the collection as a whole is logged out after all the others, not before them.
const last = [];
for (const [path, methods] of Object.entries(document.paths)) {
  for (const [method, operation] of Object.entries(methods)) {
    const list = operation.operationId === "logout" ? last : folders.get(operation.tags[0]).item;
    list.push(request(path, method, operation));
  }
}

const variable = (key, value, description) => ({ key, value, description });
const collection = {
  info: {
    name: document.info.title,
    description: document.info.description,
    version: document.info.version,
    schema: "https://schema.getpostman.com/json/collection/v2.1.0/collection.json",
  },
  auth: { type: "bearer", bearer: [{ key: "token", value: "{{access_token}}", type: "string" }] },
  variable: [
    variable("base_url", "http://127.0.0.1:8080", "Address of the server."),
    variable("login", "demo-applicant", "Who logs in; each description says for whom its example is."),
    variable("password", "demo-password-2026", "Password of the demo users."),
    variable("access_token", "", "Set by the requests 'Log in' and 'Replace the tokens'; all others send it."),
    variable("refresh_token", "", "Set by the same requests."),
  ],
  item: [...[...folders.values()].filter((folder) => folder.item.length), ...last],
};
writeFileSync(collectionPath, JSON.stringify(collection, null, 1) + "\n");
