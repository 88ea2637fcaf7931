// Audits a server for GraphQL over HTTP: `node audits.mjs http://…/graphql/` prints the results
// as one JSON array of {id, name, status, reason}.
import { serverAudits } from "graphql-http";

const results = [];
for (const audit of serverAudits({ url: process.argv[2] })) {
  const { status, reason } = await audit.fn();
  results.push({ id: audit.id, name: audit.name, status, reason });
}
console.log(JSON.stringify(results));
