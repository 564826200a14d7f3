// Check resources of Prometheus' operator, a JSON list on standard input, against its schemas; print what is wrong.
// node validate.mjs FOLDER: the folder in which npm has installed @kubernetes-models/prometheus-operator.
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

const operator = path.resolve(process.argv[2], "node_modules/@kubernetes-models/prometheus-operator");
let wrong = 0;
for (const resource of JSON.parse(fs.readFileSync(0, "utf8"))) {
  const file = path.join(operator, resource.apiVersion, `${resource.kind}.js`);
  const models = await import(pathToFileURL(file));
  try {
    new models[resource.kind](resource).validate();
  } catch (error) {
    wrong += 1;
    console.log(`${resource.kind} ${resource.metadata.name}: ${error.message}`);
  }
}
process.exit(wrong ? 1 : 0);
