// Imports the committed Postman collection as Postman does, and runs a handful of its requests with newman, Postman's own
// runner: log in, tokens kept for the others, paths, a form, a body, If-Match. Usage: node check.mjs COLLECTION DOCUMENT BASE_URL
import { readFileSync } from 'node:fs';
import newman from 'newman';
import postman from 'postman-collection';

const [collectionPath, documentPath, baseUrl] = process.argv.slice(2);
const read = (path) => JSON.parse(readFileSync(path, 'utf8'));
const json = read(collectionPath);
const operations = Object.values(read(documentPath).paths).flatMap((methods) => Object.values(methods));

const faults = [];
const collection = new postman.Collection(json);
let requests = 0;
collection.forEachItem(() => (requests += 1));
if (requests !== operations.length) faults.push(`${requests} requests were imported, the document has ${operations.length} operations`);
// A variable that nobody sets is sent as it is written. Those with a dollar are Postman's own.
for (const [, name] of JSON.stringify(json.item).matchAll(/\{\{([a-z]\w*)\}\}/g)) {
  if (!collection.variables.has(name)) faults.push(`the variable ${name} is not declared`);
}

// They run in the order of the collection; each works as it stands for the user of its variables.
const WANTED = ['login', 'refreshSession', 'issueToken', 'getMe', 'updateFiling', 'getFiling', 'listFilings', 'getReadiness', 'logout'];
const names = WANTED.map((id) => operations.find(({ operationId }) => operationId === id)?.summary ?? id);
const summary = await new Promise((done, fail) =>
  newman.run(
    { collection: json, folder: names, envVar: [{ key: 'base_url', value: baseUrl }], timeoutRequest: 20_000 },
    (error, result) => (error ? fail(error) : done(result)),
  ),
);
for (const { item, response, requestError } of summary.run.executions) {
  if (!response || response.code >= 300) faults.push(`${item.name}: ${response ? `${response.code} ${response.text()}` : requestError}`);
}
for (const { source, error } of summary.run.failures) faults.push(`${source.name}: ${error.message}`);
const count = summary.run.executions.length;
if (count !== names.length) faults.push(`${count} of ${names.length} requests were run`);
console.log(`${requests} requests imported, ${count} run by newman`);
for (const fault of faults) console.log(`FAULT ${fault}`);
process.exitCode = faults.length ? 1 : 0;
